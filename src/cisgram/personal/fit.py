"""Fit every gene of a cohort and measure how well it predicts people held out."""

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from jaxtyping import Float32, Int8

from cisgram import __version__
from cisgram.core.artifact import (
    MANIFEST,
    Manifest,
    create_artifact,
    damage_errors,
    is_artifact,
    open_artifact,
    sha256,
)
from cisgram.core.checks import DataError, few
from cisgram.core.config import from_plain
from cisgram.core.executor import map_work
from cisgram.core.progress import progress
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.gene_fit import GeneFitter
from cisgram.personal.journal import GeneRecord, Journal

VERSION = 1


@dataclass(frozen=True)
class Fit:
    """Models of many genes and their held-out accuracy."""

    path: Path
    config: FitConfig
    cohort: Path
    people: tuple[str, ...]
    populations: tuple[str, ...]
    folds: Int8[np.ndarray, "people"]
    """Held-out fold of each person, -1 for those never held out."""
    genes: pl.DataFrame
    """A row a gene; see docs/how-to/personal.md for the columns."""
    weights: pl.DataFrame
    """gene chrom start (0-based) id ref alt weight mean frequency; the weight is for one
    copy of `alt`, on the scale of residual z-scores."""
    predictions: Float32[np.ndarray, "genes people"]
    """Held-out predictions, in residual z-scores."""
    measured: Float32[np.ndarray, "genes people"]
    """The target, normalised by the training people of each person's own fold."""
    manifest: Manifest

    @property
    def task(self) -> str:
        """The question that the accuracy answers."""
        return self.config.task

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a finished fit."""
        path = Path(path)
        if not path.exists() and _partial(path).exists():
            raise DataError(f"{path} is not finished; run the same `personal fit` again.")
        manifest = open_artifact(path, kind="fit", version=VERSION)
        with damage_errors(path):
            people = pl.read_parquet(path / "people.parquet")
            return cls(
                path=path,
                config=from_plain(FitConfig, manifest.metadata["config"], str(path)),
                cohort=Path(manifest.metadata["cohort"]),
                people=tuple(people["person"]),
                populations=tuple(people["population"]),
                folds=people["fold"].to_numpy(),
                genes=pl.read_parquet(path / "genes.parquet"),
                weights=pl.read_parquet(path / "weights.parquet"),
                predictions=np.load(path / "predictions.npy", mmap_mode="r"),
                measured=np.load(path / "measured.npy", mmap_mode="r"),
                manifest=manifest,
            )

    def open_cohort(self) -> Cohort:
        """Open the cohort that was fitted.

        Raises:
            DataError: it is no longer where it was, or another one is there.
        """
        cohort = Cohort.open(self.cohort)
        if _fingerprint(cohort) != self.manifest.metadata["run"]["cohort"]:
            raise DataError(
                f"{self.cohort} is no longer the cohort that {self.path} was fitted on; "
                "put that back, or fit again."
            )
        return cohort


def fit_cohort(
    cohort: Path | str,
    config: FitConfig,
    out: Path | str,
    *,
    genes: Sequence[str] | None = None,
    executor: str = "processes",
    workers: int | None = None,
) -> Fit:
    """Fit all genes of a cohort, or some, and publish the result at `out`.

    Interrupted, it leaves its finished genes in `<out>.partial`; the same call
    goes on from there, and the result is that of an uninterrupted run.

    Args:
        cohort: directory made by `import_cohort`; on Ray, every node must see it.
        config: see `FitConfig`.
        out: directory to make; a finished fit of the same run is returned as it is.
        genes: names of the genes to fit; all when None.
        executor: `serial`, `processes` or `ray`.
        workers: how many at once; all CPUs when None.
    """
    out, path = Path(out), Path(cohort).resolve()
    opened = Cohort.open(path)
    indices = select_genes(opened, genes)
    identity = _identity(opened, config, indices)
    if out.exists():
        return _same_run(out, identity)
    fitter = GeneFitter(path, config)
    folds = fitter.outer_folds
    journal = Journal(_partial(out), identity)
    try:
        finished = journal.finished()
        todo = [index for index in indices if index not in finished]
        results = map_work(fitter, todo, executor=executor, workers=workers)
        with progress(f"{config.model} models", len(indices), done=len(finished)) as ticker:
            for position, record in results:
                journal.add(todo[position], record)
                ticker.advance()
        metadata = {"cohort": path, "config": asdict(config), "task": config.task, "run": identity}
        with create_artifact(out, kind="fit", version=VERSION, metadata=metadata) as building:
            _assemble(building, opened, journal, len(indices))
            people = {"person": opened.people, "population": opened.populations, "fold": folds}
            pl.DataFrame(people).write_parquet(building / "people.parquet")
    finally:
        journal.close()
    shutil.rmtree(_partial(out), ignore_errors=True)
    return Fit.open(out)


def _identity(cohort: Cohort, config: FitConfig, indices: Sequence[int]) -> dict[str, Any]:
    """Say what the result depends on, in JSON's types."""
    identity = {
        "cisgram": __version__,
        "config": asdict(config),
        "cohort": _fingerprint(cohort),
        "genes": cohort.genes["gene"][list(indices)].to_list(),
    }
    return json.loads(json.dumps(identity))


def _fingerprint(cohort: Cohort) -> str:
    """Tell one cohort from another: the manifest names every file's SHA-256."""
    return sha256(cohort.path / MANIFEST)


def select_genes(cohort: Cohort, genes: Sequence[str] | None) -> list[int]:
    """Return the rows of genes by name, with or without version, or of all."""
    if genes is None:
        return list(range(len(cohort.genes)))
    rows = {name: row for row, name in enumerate(cohort.genes["gene"])}
    bare = {name.split(".")[0]: row for name, row in rows.items()}
    unknown = [name for name in genes if name not in rows and name not in bare]
    if unknown:
        raise DataError(
            f"the cohort has no gene {few(unknown)}; it has {few(cohort.genes['gene'])}."
        )
    return sorted({rows.get(name, bare.get(name, -1)) for name in genes})


def _partial(out: Path) -> Path:
    return out.with_name(out.name + ".partial")


def _same_run(out: Path, identity: dict[str, Any]) -> Fit:
    """Return a finished fit when it is the one asked for."""
    if not is_artifact(out, "fit"):
        raise DataError(f"{out} exists already and is no fit; choose another output.")
    fit = Fit.open(out)
    if fit.manifest.metadata["run"] != identity:
        raise DataError(
            f"{out} holds a fit with other settings or data; remove it or choose another output."
        )
    return fit


def _assemble(building: Path, cohort: Cohort, journal: Journal, n_genes: int) -> None:
    """Turn the journal's records into tables and arrays."""
    rows: list[dict[str, Any]] = []
    weights: list[pl.DataFrame] = []
    head = {"descr": "<f4", "fortran_order": False, "shape": (n_genes, len(cohort.people))}
    with ExitStack() as opened:
        # Not memory-mapped: on a full disk that ends the process, with no error to catch.
        streams = {
            name: opened.enter_context((building / f"{name}.npy").open("wb"))
            for name in ("predictions", "measured")
        }
        for stream in streams.values():
            np.lib.format.write_array_header_1_0(stream, head)
        for gene, record in journal.records():
            rows.append(record.row)
            weights.append(_weight_rows(cohort, gene, record))
            for name, stream in streams.items():
                stream.write(record.arrays[name].astype("<f4").tobytes())
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(building / "genes.parquet")
    pl.concat(weights).write_parquet(building / "weights.parquet")


def _weight_rows(cohort: Cohort, gene: int, record: GeneRecord) -> pl.DataFrame:
    arrays = record.arrays
    variants = cohort.genotypes.variants[arrays["snps"]]
    return variants.select(
        pl.lit(cohort.genes["gene"][gene]).alias("gene"),
        *("chrom", "start", "id", "ref", "alt"),
        weight=pl.Series(arrays["weights"], dtype=pl.Float64),
        mean=pl.Series(arrays["means"], dtype=pl.Float64),
        frequency=pl.Series(arrays["means"] / 2, dtype=pl.Float64),
    )
