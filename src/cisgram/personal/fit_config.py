"""What a run fits, to whom and how it is scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cisgram.core.checks import ConfigError, check_choice, check_fields, few
from cisgram.data.normalize import TRANSFORMS, Transform

ModelName = Literal[
    "elastic-net",
    "lasso",
    "ridge",
    "top-snp",
    "prior-ridge",
    "prior-elastic-net",
    "prior-mixture",
]
MODELS: tuple[ModelName, ...] = get_args(ModelName)
ACROSS_PEOPLE = "across people, seen genes"
CROSS_POPULATION = "across people, seen genes, cross-population"


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """What is fitted, to whom and how it is scored."""

    model: ModelName = "prior-mixture"
    """How SNPs make a prediction; all models share window, folds and people."""
    prior: str = ""
    """For the `prior-` models, a table of further weights of SNPs beside their distance to the TSS:
    chrom, pos (counted from 1), ref, alt, weight. A variant that is not in it weighs 1."""
    window: int = 1_000_000
    """Bases on each side of the gene whose SNPs may have a weight."""
    min_maf: float = 0.01
    """Lowest minor allele frequency, among the training people of each fold."""
    max_missing: float = 0.1
    """Largest share of missing dosages, among the training people of each fold."""
    n_outer_folds: int = 5
    """Folds that measure accuracy."""
    n_inner_folds: int = 10
    """Folds that choose the penalty of elastic net and lasso, inside the training people."""
    transform: Transform = "inverse-normal"
    """Of expression, before covariates are regressed out."""
    use_covariates: bool = True
    """Regress the cohort's covariates out of expression."""
    n_expression_pcs: int = 0
    """Principal components of expression, from the training people, as further covariates."""
    normalize_on: Literal["training", "everyone"] = "training"
    """Whom normalisation is fitted on; `everyone` leaks, and serves to measure how much."""
    train_populations: tuple[str, ...] = ()
    """Learn from these populations only, as in GBR,CEU; with `test_populations`."""
    test_populations: tuple[str, ...] = ()
    """Score these populations only; with `train_populations`."""
    max_people: int | None = None
    """Learn from at most this many people of each fold, drawn by the random seed."""
    permutation: int | None = None
    """Seed that gives everyone another person's genotypes, gene by gene: the null."""
    seed: int = 1
    """Random seed for the folds."""

    def __post_init__(self) -> None:
        for name in ("train_populations", "test_populations"):
            # One order of the same names is one configuration.
            parts = {part.strip() for text in getattr(self, name) for part in text.split(",")}
            object.__setattr__(self, name, tuple(sorted(parts - {""})))
        check_choice(self.model, MODELS, "model")
        check_choice(self.transform, TRANSFORMS, "transform")
        check_choice(self.normalize_on, ("training", "everyone"), "normalize_on")
        if self.prior and not self.model.startswith("prior-"):
            raise ConfigError(
                f"model {self.model} has no use for a prior of its SNPs; choose prior-ridge, "
                "prior-elastic-net or prior-mixture."
            )
        if self.max_people is not None:
            check_fields(self, "max_people", low=2 * self.n_inner_folds)
        check_fields(self, "window", "n_expression_pcs", low=0)
        check_fields(self, "min_maf", low=0, high=0.5)
        check_fields(self, "max_missing", low=0, high=1)
        check_fields(self, "n_outer_folds", "n_inner_folds", low=2)
        if bool(self.train_populations) != bool(self.test_populations):
            raise ConfigError("train_populations and test_populations go together; name both.")
        if shared := set(self.train_populations) & set(self.test_populations):
            raise ConfigError(
                f"populations {few(sorted(shared))} are both trained on and tested on; "
                "name different ones."
            )

    @property
    def label(self) -> str:
        """The model, and the table of its prior where it has one."""
        return f"{self.model} ({Path(self.prior).name})" if self.prior else self.model

    @property
    def task(self) -> str:
        """The question that the accuracy answers."""
        task = CROSS_POPULATION if self.train_populations else ACROSS_PEOPLE
        if self.normalize_on == "everyone":
            task += ", normalisation leaked"
        return task if self.permutation is None else task + ", genotypes permuted"
