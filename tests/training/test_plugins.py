"""An architecture of a user's own file: trained, saved, loaded and asked like any other."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError
from cisgram.models.hub import load_model, save_model
from cisgram.models.registry import build_model
from cisgram.prediction.predict import predict
from cisgram.training.recipe import Recipe
from cisgram.training.run import train
from models.tiny import tiny
from resealing import reseal
from training.small_corpus import write_genome

EXAMPLES = Path(__file__).parents[2] / "examples"
RECIPE = """
plugins = ["{plugin}"]

[data]
kind = "corpus"
margin = 0
min_contig = 100
max_repeat = 1.0
dust = false
homology = {{ enabled = false }}
max_validation = 4
valid = {{ genome = "toy", contigs = ["c2"] }}
test = {{ genome = "toy", contigs = ["c3"] }}

[[data.genomes]]
name = "toy"
fasta = "toy.fa"

[model]
kind = "gated-cnn"
window = 64
channels = 8
n_layers = 2

[task]
kind = "masked"

[train]
steps = 40
batch = 4
validate_every = 40

[optim]
lr = 1e-2
warmup = 1
"""
ASK = """
import sys
import cisgram
from cisgram.core.checks import ConfigError
try:
    cisgram.load("run")
    raise SystemExit("loaded although nobody imported the architecture")
except ConfigError as error:
    print(error)
import gated_cnn
model = cisgram.load("run", genome="toy.fa")
print(type(model.model) is gated_cnn.GatedCNN)
print(*model.predict("c3:101-150").table.row(0)[5:])
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_genome(tmp_path / "toy.fa")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(plugin=EXAMPLES / "gated_cnn.py"))
    return path


def test_the_recipe_of_the_example_names_its_file() -> None:
    recipe = Recipe.read(EXAMPLES / "gated-cnn.toml")
    assert recipe.plugins == (EXAMPLES / "gated_cnn.py",)
    assert recipe.model_kind == "gated-cnn"
    assert [(recipe.directory / own.fasta).is_file() for own in recipe.data.genomes] == [True]
    model = build_model(
        "gated-cnn", recipe.model, recipe.data.expected_outputs(recipe.model.geometry)
    )
    recipe.task.check(model)


def test_a_run_keeps_what_its_plugins_were(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    known = {"gated_cnn.py": sha256(EXAMPLES / "gated_cnn.py")}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["plugins"] == known
    model, card = load_model(tmp_path / "run")
    assert (model.kind, card["plugins"]) == ("gated-cnn", known)
    contig = (tmp_path / "toy.fa").read_text().split("\n")[7][:200]
    assert np.isfinite(predict(model, [contig]).values).all()


def test_a_recipe_that_extends_one_has_its_plugins_too(recipe: Path, tmp_path: Path) -> None:
    further = tmp_path / "further.toml"
    further.write_text('extends = "recipe.toml"\n[train]\nsteps = 9\n')
    assert Recipe.read(further).plugins == Recipe.read(recipe).plugins
    (tmp_path / "nothing_more.py").write_text("a = 1\n")
    further.write_text('extends = "recipe.toml"\nplugins = ["nothing_more.py"]\n')
    names = [path.name for path in Recipe.read(further).plugins]
    assert names == ["gated_cnn.py", "nothing_more.py"]


@pytest.mark.parametrize("listed", ['"gated_cnn.py"', "[1]", "3"])
def test_plugins_are_a_list_of_files(recipe: Path, listed: str) -> None:
    text = recipe.read_text()
    recipe.write_text(f"plugins = {listed}\n" + text[text.index("[data]") :])
    with pytest.raises(
        ConfigError, match=r"plugins in .*recipe.toml must be a list of Python file"
    ):
        Recipe.read(recipe)


def test_a_model_of_an_unknown_architecture_asks_for_its_module(tmp_path: Path) -> None:
    save_model(tmp_path / "model", tiny("gated-cnn"), card={})
    reseal(tmp_path / "model", model="my-own")
    sentence = (
        r"/model is of kind my-own, which no module .* defines; import the one that does first"
    )
    with pytest.raises(ConfigError, match=sentence):
        load_model(tmp_path / "model")


@pytest.mark.whole
def test_commands_train_it_and_other_processes_load_it(recipe: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "gated_cnn.py", tmp_path)
    recipe.write_text(RECIPE.format(plugin="gated_cnn.py"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    done = run("-m", "cisgram", "train", "recipe.toml", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "40 steps" in done.stdout
    asked = run("-c", ASK)
    assert asked.returncode == 0, asked.stderr
    refused, is_own, numbers = asked.stdout.splitlines()
    assert refused == (
        "run/model is of kind gated-cnn, which no module that was imported defines; import the one "
        "that does first."
    )
    assert is_own == "True"
    log_likelihood, information = map(float, numbers.split())
    # The repeated word is learnt: better than the entropy of four bases.
    assert log_likelihood > -np.log(4)
    assert information > 0.05


@pytest.mark.whole
def test_two_processes_train_it_too(recipe: Path, tmp_path: Path) -> None:
    """Each has to import the file by itself."""
    recipe.write_text(recipe.read_text().replace("steps = 40", "steps = 2"))
    assert train(recipe, tmp_path / "run", devices=2).step == 2
