"""Fixtures for every room, the shape checks of the test run, and no network."""

import fcntl
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from jaxtyping import config, install_import_hook

from toy import ToyGenome, write_toy_genome

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cisgram"
_BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _checked_modules() -> list[str]:
    """Name every module whose signatures are checked: all but compiled ones and packages.

    numba cannot compile a wrapped function, and naming a package would include
    the compiled modules inside it.
    """
    return [
        ".".join(("cisgram", *path.relative_to(SOURCE).with_suffix("").parts))
        for path in sorted(SOURCE.rglob("*.py"))
        if path.stem != "__init__" and not path.stem.endswith("_kernels")
    ]


# Checked modules take long to compile. Keep them, for this run's processes and the next run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
install_import_hook(_checked_modules(), "shapes.check_arrays")
# Small networks lose more to waiting threads than they win.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Examples of the front door run packaged networks, which is work of `make test`."""
    for item in items:
        if item.nodeid.startswith("src/cisgram/api.py"):
            item.add_marker("whole")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        help="write the snapshots anew instead of comparing",
    )


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what references are made of with the run, and make each once."""
    os.environ["CISGRAM_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data that lie beside the repository and are not part of it."""
    place = ROOT.parent / "shared" / "data"
    if not place.is_dir():
        pytest.skip("needs the data sets in ../shared/data beside the repository")
    return place


@dataclass(frozen=True)
class CohortFiles:
    """The files that a cohort is imported from."""

    genotypes: Path
    expression: Path
    covariates: Path
    populations: Path


@pytest.fixture(scope="session")
def geuvadis(shared: Path) -> CohortFiles:
    """358 people, 608 genes and 85,485 SNVs of chromosome 22."""
    place = shared / "human" / "geuvadis"
    return CohortFiles(
        genotypes=place / "genotypes.chr22.vcf.gz",
        expression=place / "genes.50percent.chr22.bed.gz",
        covariates=place / "genes.covariates.pc50.txt.gz",
        populations=place / "integrated_call_samples_v3.20130502.ALL.panel",
    )


@pytest.fixture(scope="session")
def demo_files() -> CohortFiles:
    """The slice of Geuvadis inside the package: the same people, 49 genes, 7,919 SNVs."""
    place = SOURCE / "demo"
    return CohortFiles(
        genotypes=place / "genotypes.vcf.gz",
        expression=place / "expression.bed.gz",
        covariates=place / "covariates.txt.gz",
        populations=place / "populations.tsv",
    )


@pytest.fixture(scope="session")
def demo_run(
    demo_files: CohortFiles, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """A directory as `cisgram demo` leaves it: the cohort, and the fits of the models named.

    What a process has fitted is there for all processes of the run.
    """
    from cisgram.personal.cohort import import_cohort
    from cisgram.personal.fit import FitConfig, fit_models

    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"

    def made(*models: str) -> Path:
        place.mkdir(exist_ok=True)
        with (place.parent / "demo.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            cohort = place / "cohort"
            if not cohort.exists():
                import_cohort(
                    demo_files.genotypes,
                    demo_files.expression,
                    covariates=demo_files.covariates,
                    populations=demo_files.populations,
                    out=cohort,
                )
            if models:
                fit_models(cohort, {place / model: FitConfig(model=model) for model in models})
        return place

    return made


@pytest.fixture(scope="session")
def demo_script() -> ModuleType:
    """The script that cut the packaged slice."""
    path = ROOT / "scripts" / "make_demo_data.py"
    spec = importlib.util.spec_from_file_location("make_demo_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20261121)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory, demo_script: ModuleType) -> ToyGenome:
    """A genome small enough to reason about, with a bgzipped VCF."""
    return write_toy_genome(tmp_path_factory.mktemp("toy"), demo_script.bgzip)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium; .ci/run installs it")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=list(_BROWSER_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(autouse=True)
def _unchecked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Turn the shape checks off where a wrong shape is the point of the test.

    Whole commands run without them too: their parts are checked one by one, and it saves a fifth.
    """
    off = any(request.node.get_closest_marker(name) for name in ("unchecked", "whole"))
    config.update("jaxtyping_disable", off)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections that leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        internet = self.family in (socket.AF_INET, socket.AF_INET6)
        if internet and self.type == socket.SOCK_STREAM and not _is_here(address):
            pytest.fail(f"a test tried to reach {address}; tests use no network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_here(address: object) -> bool:
    host = str(address[0]) if isinstance(address, tuple) else ""
    return host == "localhost" or host.startswith("127.") or host in ("::1", _own_address())


def _own_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"
