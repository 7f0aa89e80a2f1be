"""Fit every gene of a cohort and measure how well it predicts people held out."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
from cisgram.core.journal import Journal, Record, discard, partial
from cisgram.core.places import hold
from cisgram.core.progress import progress
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.gene_fit import GeneFitter

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
        if not path.exists() and partial(path).exists():
            raise DataError(f"{path} is not finished; run the same `personal fit` again.")
        manifest = open_artifact(path, kind="fit", version=VERSION)
        with damage_errors(path):
            people = pl.read_parquet(path / "people.parquet", glob=False)
            return cls(
                path=path,
                config=from_plain(FitConfig, manifest.metadata["config"], str(path)),
                cohort=Path(manifest.metadata["cohort"]),
                people=tuple(people["person"]),
                populations=tuple(people["population"]),
                folds=people["fold"].to_numpy(),
                genes=pl.read_parquet(path / "genes.parquet", glob=False),
                weights=pl.read_parquet(path / "weights.parquet", glob=False),
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
    runs = {Path(out): config}
    return fit_models(cohort, runs, genes=genes, executor=executor, workers=workers)[0]


def fit_models(
    cohort: Path | str,
    runs: Mapping[Path, FitConfig],
    *,
    genes: Sequence[str] | None = None,
    executor: str = "processes",
    workers: int | None = None,
) -> list[Fit]:
    """Fit a cohort in several ways with one set of workers, as `fit_cohort` does in one.

    Args:
        cohort: directory made by `import_cohort`.
        runs: what is fitted, by the directory to make.
        genes: names of the genes to fit; all when None.
        executor: `serial`, `processes` or `ray`.
        workers: how many at once; all CPUs when None.

    Raises:
        ConfigError, DataError: settings and data that do not go together.
    """
    path = Path(cohort).resolve()
    opened = Cohort.open(path)
    indices = select_genes(opened, genes)
    with ExitStack() as held:
        for out in runs:
            held.enter_context(hold(out))
        begun = [
            held.enter_context(_Run.begin(opened, config, out, indices))
            for out, config in runs.items()
            if not _is_finished(opened, config, out, indices)
        ]
        if begun:
            _carry_out(begun, executor=executor, workers=workers)
    return [Fit.open(out) for out in runs]


def _carry_out(runs: "Sequence[_Run]", *, executor: str, workers: int | None) -> None:
    """Fit what is missing and publish each run when its last gene is there."""
    # Gene by gene, so that the time left is judged by all of the models.
    work = sorted(
        ((number, gene) for number, run in enumerate(runs) for gene in run.todo),
        key=lambda item: item[1],
    )
    fitters = _Fitters(tuple(run.fitter for run in runs))
    results = map_work(fitters, work, executor=executor, workers=workers)
    names = ", ".join(run.config.model for run in runs)
    total = sum(run.n_genes for run in runs)
    for run in runs:
        run.publish_if_done()
    with progress(f"{names} models", total, done=total - len(work)) as ticker:
        for position, record in results:
            number, gene = work[position]
            runs[number].add(gene, record)
            ticker.advance()


@dataclass(frozen=True)
class _Fitters:
    """Fits genes in several ways."""

    fitters: tuple[GeneFitter, ...]

    def __call__(self, item: tuple[int, int]) -> Record:
        """Fit a gene in one of the ways."""
        number, gene = item
        return self.fitters[number](gene)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A fit that is being made."""

    cohort: Cohort
    config: FitConfig
    out: Path
    identity: dict[str, Any]
    fitter: GeneFitter
    journal: Journal
    todo: set[int]
    """Genes still to be fitted."""
    n_genes: int

    @classmethod
    @contextmanager
    def begin(
        cls, cohort: Cohort, config: FitConfig, out: Path, indices: Sequence[int]
    ) -> Generator[Self]:
        """Open the journal, which may hold genes of an earlier run."""
        fitter = GeneFitter(cohort.path, config)
        _ = fitter.outer_folds  # refuses what does not go together before anything is written
        identity = _identity(cohort, config, indices)
        journal = Journal(partial(out), identity)
        try:
            yield cls(
                cohort=cohort,
                config=config,
                out=out,
                identity=identity,
                fitter=fitter,
                journal=journal,
                todo=set(indices) - journal.finished(),
                n_genes=len(indices),
            )
        finally:
            journal.close()
            if is_artifact(out, "fit"):
                journal.remove()

    def add(self, gene: int, record: Record) -> None:
        """Keep what was fitted."""
        self.journal.add(gene, record)
        self.todo.remove(gene)
        self.publish_if_done()

    def publish_if_done(self) -> None:
        """Publish the fit if no gene is missing."""
        if self.todo:
            return
        config = self.config
        metadata = {
            "cohort": self.cohort.path,
            "config": asdict(config),
            "task": config.task,
            "run": self.identity,
        }
        with create_artifact(self.out, kind="fit", version=VERSION, metadata=metadata) as building:
            _assemble(building, self.cohort, self.journal, self.n_genes)
            people = {
                "person": self.cohort.people,
                "population": self.cohort.populations,
                "fold": self.fitter.outer_folds,
            }
            pl.DataFrame(people).write_parquet(building / "people.parquet")


def _identity(cohort: Cohort, config: FitConfig, indices: Sequence[int]) -> dict[str, Any]:
    """Say what the result depends on, in JSON's types."""
    identity = {
        "cisgram": __version__,
        "config": asdict(config),
        "cohort": _fingerprint(cohort),
        "genes": cohort.genes["gene"][list(indices)].to_list(),
        "prior": sha256(Path(config.prior)) if config.prior else None,
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


def _is_finished(cohort: Cohort, config: FitConfig, out: Path, indices: Sequence[int]) -> bool:
    """Say whether `out` is the finished fit that is asked for.

    Raises:
        DataError: something else is there.
    """
    if not out.exists():
        return False
    if not is_artifact(out, "fit"):
        raise DataError(f"{out} exists already and is no fit; choose another output.")
    identity = _identity(cohort, config, indices)
    if Fit.open(out).manifest.metadata["run"] != identity:
        raise DataError(
            f"{out} holds a fit with other settings or data; remove it or choose another output."
        )
    discard(out, identity)
    return True


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


def _weight_rows(cohort: Cohort, gene: int, record: Record) -> pl.DataFrame:
    arrays = record.arrays
    variants = cohort.genotypes.variants[arrays["snps"]]
    return variants.select(
        pl.lit(cohort.genes["gene"][gene]).alias("gene"),
        *("chrom", "start", "id", "ref", "alt"),
        weight=pl.Series(arrays["weights"], dtype=pl.Float64),
        mean=pl.Series(arrays["means"], dtype=pl.Float64),
        frequency=pl.Series(arrays["means"] / 2, dtype=pl.Float64),
    )
