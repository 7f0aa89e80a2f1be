"""Numbers and names in words, apart from how the page looks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from cisgram.personal.fit_config import FitConfig

_LABELS = {
    "elastic-net": "elastic net",
    "lasso": "lasso",
    "ridge": "ridge (BLUP)",
    "top-snp": "top SNP",
    "prior-ridge": "ridge with a prior",
    "prior-elastic-net": "elastic net with a prior",
    "prior-mixture": "mixture with a prior",
}

_CHOICES = {
    "elastic-net": "the penalty of {} by cross-validation",
    "lasso": "the penalty of {} by cross-validation",
    "ridge": "the penalty of {} by REML",
    "top-snp": "the {} by its correlation with expression",
    "prior-ridge": "none for {}, which averages over heritabilities",
    "prior-elastic-net": "the penalty of {} by cross-validation",
    "prior-mixture": "none for {}, which averages over heritabilities and reaches",
}

_SETTINGS = {
    "prior": "Weights of SNPs beside their distance",
    "window": "Cis window, bp each side of the gene",
    "min_maf": "Least minor allele frequency",
    "max_missing": "Largest share of missing dosages",
    "n_outer_folds": "Folds that measure accuracy",
    "n_inner_folds": "Folds that choose the penalty of elastic net and lasso",
    "transform": "Transformation of expression",
    "use_covariates": "Covariates regressed out",
    "n_expression_pcs": "Expression components regressed out",
    "normalize_on": "Normalisation fitted on",
    "train_populations": "Populations trained on",
    "test_populations": "Populations predicted",
    "permutation": "Seed of the permutation",
    "max_people": "Most people learnt from",
    "seed": "Seed of the folds",
}


@dataclass(frozen=True)
class Settings:
    """How the models were fitted: a column a model, or one when they agree."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def model_label(model: str) -> str:
    """Name a model in running text.

    >>> model_label("top-snp")
    'top SNP'
    """
    return _LABELS.get(model, model.replace("-", " "))


def choices(models: Sequence[str]) -> str:
    """Say what each model chooses and how, models that choose alike together.

    >>> choices(["lasso", "ridge"])
    'the penalty of lasso by cross-validation; the penalty of ridge (BLUP) by REML'
    """
    alike: dict[str, list[str]] = {}
    for model in models:
        alike.setdefault(_CHOICES[model], []).append(model_label(model))
    return "; ".join(how.format(" and ".join(names)) for how, names in alike.items())


def number(value: float, digits: int = 3) -> str:
    """Write a number with a true minus sign; a dash where there is none.

    >>> number(-0.12345)
    '−0.123'
    """
    if value != value:
        return "–"
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.replace("-", "")


def signed(value: float, digits: int = 3) -> str:
    """Write a number with its sign, + too; a dash where there is none.

    >>> signed(0.25), signed(-0.25)
    ('+0.250', '−0.250')
    """
    return f"+{number(value, digits)}" if value > 0 else number(value, digits)


def commas(count: int) -> str:
    """Write a count.

    >>> commas(20000)
    '20,000'
    """
    return f"{count:,}"


def percent(share: float | None) -> str:
    """Write a share as a percentage.

    >>> percent(0.0712), percent(None)
    ('7.1%', '–')
    """
    if share is None or share != share:
        return "–"
    return f"{100 * share:.1f}%" if share < 0.1 else f"{100 * share:.0f}%"


def interval(ends: tuple[float, float], digits: int = 3) -> str:
    """Write an interval in words; a dash where there is none.

    >>> interval((-0.1, 0.25), digits=2)
    '−0.10 to 0.25'
    """
    if ends[0] != ends[0]:
        return number(ends[0])
    return f"{number(ends[0], digits)} to {number(ends[1], digits)}"


def cell(text: str) -> str:
    """Write a cell of a table with a true minus sign; a dash where it is empty.

    >>> cell("-0.1234"), cell("A-B"), cell("")
    ('−0.1234', 'A-B', '–')
    """
    return f"−{text[1:]}" if text.startswith("-") else text or "–"


def population_counts(populations: Sequence[str]) -> str:
    """List populations with their sizes, largest first.

    >>> population_counts(["FIN", "GBR", "FIN", ""])
    'FIN 2, GBR 1, unknown 1'
    """
    counts = Counter(population or "unknown" for population in populations)
    return ", ".join(f"{name} {n:,}" for name, n in counts.most_common())


def chromosomes(chroms: Sequence[str]) -> str:
    """Name the chromosomes when few, count them when many.

    >>> chromosomes(["22"]), chromosomes(["1", "2", "3", "4", "5"])
    ('chromosome 22', '5 chromosomes')
    """
    bare = [chrom.removeprefix("chr") for chrom in dict.fromkeys(chroms)]
    if len(bare) == 1:
        return f"chromosome {bare[0]}"
    return f"chromosomes {', '.join(bare)}" if len(bare) <= 4 else f"{len(bare)} chromosomes"


def ranges(names: Sequence[str]) -> str:
    """List names, those that are numbered one after another by their first and last.

    >>> ranges(["PC1", "PC2", "PC3", "sex"])
    'PC1 to PC3, sex'
    """
    runs: list[list[str]] = []
    for name in names:
        stem, n = _numbered(name)
        if runs and n is not None and _numbered(runs[-1][-1]) == (stem, n - 1):
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _numbered(name: str) -> tuple[str, int | None]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :]) if len(stem) < len(name) else None


def settings(configs: Sequence[FitConfig]) -> Settings:
    """Write settings out, the model's name apart.

    >>> settings([FitConfig(model="lasso"), FitConfig(model="ridge")]).rows[0]
    ('Cis window, bp each side of the gene', ('1,000,000',))
    """
    values = [_values(config) for config in configs]
    columns = tuple(model_label(config.model) for config in configs)
    if all(value == values[0] for value in values):
        values, columns = values[:1], ("every model",)
    rows = (
        (_SETTINGS.get(name, name), tuple(_setting(value[name]) for value in values))
        for name in values[0]
        if name != "model" and any(value[name] != "" for value in values)
    )
    return Settings(columns, tuple(rows))


def _values(config: FitConfig) -> Mapping[str, object]:
    """Return what was used: across populations there are no folds that measure."""
    unused = {"n_outer_folds": None} if config.train_populations else {}
    return asdict(config) | {"model": ""} | unused


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "any"
    return "none" if value in (None, "") else str(value)
