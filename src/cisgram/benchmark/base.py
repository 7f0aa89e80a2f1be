"""What an evaluation is: a task by name, the models that it is run on, and the rows it returns."""

import math
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cisgram.benchmark.tasks
from cisgram.core.checks import ConfigError, DataError, check_choice, few
from cisgram.core.metrics import Estimate
from cisgram.data.targets import Targets
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.ancestry import evaluation_notes, held_out_contigs
from cisgram.prediction.session import Session

Needs = Literal["language", "tracks", "any"]
ANY_GENOME = "any-genome"
"""The suite of tasks that need nothing but a genome."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of an evaluation."""

    task: str
    subset: str = ""
    """Which part of the task's data, such as a library or a class of sites."""
    predictor: str
    """Model or baseline."""
    baseline: bool = False
    """Whether it is a baseline or a null."""
    output: str = ""
    """What was predicted, such as a gene target."""
    metric: str
    """Such as r, auroc, perplexity; `minus X` is a difference from predictor X."""
    value: float
    low: float | None = None
    """Of the 95 % interval."""
    high: float | None = None
    n: int | None = None
    """Genes, variants, sites or bases that it is over."""

    def plain(self) -> dict[str, Any]:
        """Return it as what JSON holds."""
        return dict(vars(self))


class Rows:
    """Collects the rows of a task; predictors that are none of the models are baselines."""

    def __init__(self, task: str, models: Collection[str]) -> None:
        self.task, self.models = task, models
        self.rows: list[Row] = []

    def add(
        self,
        predictor: str,
        metric: str,
        value: float | Estimate,
        *,
        subset: str = "",
        output: str = "",
        n: int | None = None,
    ) -> None:
        """Add a number, with its interval where it is an estimate."""
        low, high = None, None
        if isinstance(value, Estimate):
            value, low, high = value
            low, high = (None if math.isnan(end) else end for end in (low, high))
        self.rows.append(
            Row(
                task=self.task,
                subset=subset,
                predictor=predictor,
                baseline=predictor not in self.models,
                output=output,
                metric=metric,
                value=float(value),
                low=low,
                high=high,
                n=n,
            )
        )


@dataclass(frozen=True, kw_only=True)
class OwnGenome:
    """A genome that models are evaluated on in place of the one that they know."""

    genome: Path | str
    """FASTA or packaged genome."""
    annotation: Path | str | None = None
    """GTF or GFF3 of its genes."""
    contigs: tuple[str, ...] = ()
    """Those that are held out; the ones that a model's card holds out by default."""

    def place(self, session: Session) -> tuple[Session, tuple[str, ...]]:
        """Return a model on the genome, and the contigs that it is evaluated on.

        Raises:
            ConfigError: no contig is held out, or none is left for baselines.
            DataError: the genome has no such contig.
        """
        session = session.with_genome(self.genome, self.annotation)
        names = session.reference.names
        found = [names.resolve(own) for own in self.contigs or held_out_contigs(session.card)]
        contigs = tuple(own for own in found if own is not None)
        if self.contigs and len(contigs) < len(found):
            missing = [own for own in self.contigs if names.resolve(own) is None]
            raise DataError(f"{self.genome} has no contig {few(missing)}; correct --contigs.")
        if not contigs:
            raise ConfigError(
                f"the card of {session.name} holds out no contig of {self.genome}; add --contigs, "
                "which it was not trained on."
            )
        if not set(session.reference.contigs) - set(contigs):
            raise ConfigError(
                f"all contigs of {self.genome} are held out; leave some for the baselines to "
                "learn from."
            )
        return session, contigs


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model, or the runs of several folds that together held out more, as one."""

    name: str
    parts: tuple[tuple[Session, tuple[str, ...]], ...]
    """Each network, and the contigs of the test that it and its ancestors were not trained on."""

    @property
    def session(self) -> Session:
        """The first network."""
        return self.parts[0][0]

    @property
    def contigs(self) -> tuple[str, ...]:
        """All contigs that some part held out."""
        return tuple(contig for _, contigs in self.parts for contig in contigs)

    @classmethod
    def open(cls, name: str, models: Sequence[str], own: OwnGenome | None = None) -> "Predictor":
        """Open a model, or the runs of several folds, on the genome that it knows or another.

        Raises:
            ConfigError: one does not say what it held out, or two held out the same contig.
        """
        parts: list[tuple[Session, tuple[str, ...]]] = []
        taken: set[str] = set()
        for model in models:
            session = Session.open(model)
            held_out = held_out_contigs(session.card)
            if own is not None:
                session, held_out = own.place(session)
            contigs = tuple(contig for contig in held_out if contig not in taken)
            if not contigs:
                raise ConfigError(
                    f"the card of {model} names no test contigs that it was not trained on; "
                    "evaluate a model whose recipe has test in [data]."
                )
            taken |= set(contigs)
            parts.append((session, contigs))
        return cls(name, tuple(parts))


@dataclass(frozen=True, eq=False)
class Context:
    """What a task is run on."""

    predictors: tuple[Predictor, ...]
    """Those for which the task has a meaning."""
    data: Path | None = None
    """Directory with the public files of the suite."""
    targets_path: Path | None = None
    """Targets of a run of `cisgram train`: measured tracks and gene targets."""
    work: Path | None = None
    """Directory in which tasks keep what takes long to compute."""

    def file(self, *names: str) -> Path:
        """Return a file of the data.

        Raises:
            ConfigError: no directory is named.
            DataError: it is not there.
        """
        if self.data is None:
            raise ConfigError(f"the suite needs {'/'.join(names)}; add --data, its directory.")
        path = self.data.joinpath(*names)
        if not path.exists():
            raise DataError(f"the suite needs {path}, which does not exist; check --data.")
        return path

    @cached_property
    def targets(self) -> Targets:
        """Measured tracks and gene targets.

        Raises:
            ConfigError: none are named.
        """
        if self.targets_path is None:
            raise ConfigError("this task needs measured tracks and genes; add --targets RUN/data.")
        return Targets.open(self.targets_path)

    @cached_property
    def reference(self) -> Reference:
        """Sequence of the first predictor's genome."""
        session = self.predictors[0].session
        return session.reference if session.known_reference else open_reference("yeast-r64")

    @property
    def notes(self) -> list[str]:
        """Which of the contigs a model learnt, or may have, a sentence each."""
        measured = None if self.targets_path is None else self.targets.reference
        return [
            note
            for own in self.predictors
            for session, contigs in own.parts
            for note in evaluation_notes(
                session.card,
                session.known_reference or measured or self.reference,
                contigs,
                name=session.name,
            )
        ]


class Evaluation(NamedTuple):
    """What is registered."""

    name: str
    suite: str
    title: str
    needs: Needs
    run: Callable[[Context, Rows], None]
    """Adds rows of every predictor and baseline."""

    def accepts(self, predictor: Predictor) -> bool:
        """Say whether the task has a meaning for a model."""
        are_bases = predictor.session.outputs.are_bases
        return self.needs == "any" or are_bases == (self.needs == "language")


_REGISTERED: dict[str, Evaluation] = {}


def evaluation(
    name: str, *, suite: str, title: str, needs: Needs
) -> Callable[[Callable[[Context, Rows], None]], Callable[[Context, Rows], None]]:
    """Register a task.

    Args:
        name: what `cisgram bench` calls it.
        suite: tasks that are run together.
        title: what is asked, in a sentence.
        needs: models for which it has a meaning.
    """

    def register(run: Callable[[Context, Rows], None]) -> Callable[[Context, Rows], None]:
        _REGISTERED[name] = Evaluation(name, suite, title, needs, run)
        return run

    return register


def evaluations() -> dict[str, Evaluation]:
    """Return every task by its name; imports the modules of `cisgram.benchmark.tasks`."""
    for module in pkgutil.iter_modules(
        cisgram.benchmark.tasks.__path__, "cisgram.benchmark.tasks."
    ):
        import_module(module.name)
    return dict(sorted(_REGISTERED.items()))


def chosen_evaluations(names: Iterable[str]) -> Iterator[Evaluation]:
    """Yield tasks by their names or that of their suite, each once.

    Raises:
        ConfigError: there is no such task or suite.
    """
    known = evaluations()
    suites = {own.suite for own in known.values()}
    seen: set[str] = set()
    for name in names:
        check_choice(name, [*sorted(suites), *known], "task or suite")
        for own in known.values():
            if name in (own.name, own.suite) and own.name not in seen:
                seen.add(own.name)
                yield own


def refuse_none(predictors: Sequence[Predictor], task: Evaluation) -> None:
    """Refuse a task that has no meaning for any model.

    Raises:
        ConfigError: with what it needs.
    """
    if not predictors:
        kind = {"language": "a language model", "tracks": "a model of tracks or genes"}
        raise ConfigError(f"{task.name} needs {kind.get(task.needs, 'a model')}; name one.")


def machine() -> dict[str, Any]:
    """Say what an evaluation ran on."""
    import torch

    from cisgram.core.device import hardware

    return {"hardware": hardware(), "torch": torch.__version__}
