"""What others install or cite cisgram by agrees with pyproject.toml and can be read."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cisgram import __version__

yaml = pytest.importorskip("yaml", reason="needs pip install '.[docs]'")
ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = sorted(set(PROJECT["optional-dependencies"]) - {"all", "dev", "docs"})
ON_CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
INSTRUCTION = re.compile(r"(FROM|ARG|RUN|WORKDIR|COPY|ENV|ENTRYPOINT|CMD) \S")


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def lint(*words: str) -> None:
    """Run a linter where it is installed."""
    if shutil.which(words[0]) is not None:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_citation_is_of_this_version() -> None:
    found = read("CITATION.cff")
    assert found["cff-version"] == "1.2.0"
    assert found["message"]
    assert (found["title"], found["version"]) == (PROJECT["name"], __version__)
    assert (found["license"], found["keywords"]) == (PROJECT["license"], PROJECT["keywords"])
    assert found["authors"] == PROJECT["authors"]
    lint("cffconvert", "--validate", "--infile", "CITATION.cff")


def test_conda_needs_what_pip_needs() -> None:
    found = read("packaging/conda/recipe.yaml")
    needs = [f"python {PROJECT['requires-python']}"]
    for requirement in PROJECT["dependencies"]:
        name, least = re.fullmatch(r"([\w-]+)(>=.*)", requirement).groups()
        needs.append(f"{ON_CONDA.get(name, name)} {least}")
    assert sorted(found["requirements"]["run"]) == sorted(needs)
    assert found["package"] == {"name": PROJECT["name"], "version": __version__}
    assert found["about"]["license"] == PROJECT["license"]
    scripts = [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    assert found["build"]["python"]["entry_points"] == scripts


def test_the_image_is_made_of_files_that_are_there() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert all(INSTRUCTION.match(line) for line in lines)
    assert lines[0].startswith("FROM python:3.")
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    sent = [line for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")]
    assert copied == {line[1:] for line in sent}
    assert all((ROOT / name).exists() for name in copied)
    (asked,) = re.findall(r"'\.\[(.*)\]'", "".join(lines))
    assert set(asked.split(",")) == set(EXTRAS) - {"ray"}
    lint("hadolint", "Dockerfile")


def test_the_extra_all_is_every_extra_for_users() -> None:
    assert PROJECT["optional-dependencies"]["all"] == [f"cisgram[{','.join(EXTRAS)}]"]
