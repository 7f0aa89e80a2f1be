"""`cisgram lm`: language models of DNA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from cisgram.cli.train import say_trained
from cisgram.predict.perplexity_config import PerplexityConfig

if TYPE_CHECKING:
    from cisgram.predict.evaluate_lm import LMEvaluation
    from cisgram.report.region import RegionReading

app = App(name="lm", help="Train, evaluate and use language models of DNA.")
_DEFAULT = PerplexityConfig()


@app.command
def pretrain(recipe: Path, /, *, out: Path, resume: bool = False, devices: int = 1) -> None:
    """Pretrain a masked language model as a recipe says.

    Args:
        recipe: TOML file; recipes/ in the repository holds examples.
        out: Directory of the run: corpus, checkpoint, metrics.jsonl and, in model, the weights of
            the lowest validation loss.
        resume: Go on with the run in `out`; steps and decay may have changed.
        devices: Processes on CPU, or GPUs; each takes its own batches.
    """
    from cisgram.train.pretrain import pretrain
    from cisgram.train.recipe import Recipe

    say_trained(pretrain(Recipe.read(recipe), out, resume=resume, devices=devices), out)


@app.command
def evaluate(
    *,
    model: str,
    fasta: Path,
    annotation: Path | None = None,
    chromosomes: tuple[str, ...] = (),
    baseline_chromosomes: tuple[str, ...] = (),
    species: str | None = None,
    config: Annotated[PerplexityConfig, Parameter(name="*")] = _DEFAULT,
    json: Path | None = None,
) -> None:
    """Measure perplexity, every base hidden once, beside Markov and two-sided k-mer models.

    Args:
        model: Packaged weights such as cisgram/yeast-lm, a model directory, or a run.
        fasta: Genome, plain or compressed.
        annotation: Its GTF or GFF3, for perplexity by region.
        chromosomes: Contigs to evaluate, as in chrXII,chrXIV; all by default.
        baseline_chromosomes: Contigs the baselines learn from; all that are not evaluated by
            default.
        species: Which of the genomes it learnt from the model is to take this DNA for; the first by
            default. `cisgram models show` lists them.
        json: Also write the result as data.
    """
    from cisgram.core.artifact import write_json
    from cisgram.predict.evaluate_lm import evaluate_lm

    result = evaluate_lm(
        model,
        fasta,
        annotation=annotation,
        chromosomes=_split(chromosomes),
        baseline_chromosomes=_split(baseline_chromosomes),
        species=species,
        config=config,
    )
    if json is not None:
        write_json(json, result.plain())
    show_evaluation(result)


@app.command
def embed(
    *,
    model: str,
    fasta: Path,
    bed: Path | None = None,
    pool: Literal["mean", "none"] = "mean",
    species: str | None = None,
    out: Path,
) -> None:
    """Write hidden positions of a language model for the records of a FASTA, or regions of it.

    Args:
        model: Packaged weights such as cisgram/yeast-lm, a model directory, or a run.
        fasta: Sequences, or the genome that the regions are of.
        bed: Regions, each read with the DNA around it; whole records by default.
        pool: One row a region, or one row a position of the network's output.
        species: Which of the genomes it learnt from the model is to take this DNA for; the first by
            default. `cisgram models show` lists them.
        out: .npz file with values, names, and the span of bases of each row.
    """
    from cisgram.predict.embed_files import embed_file

    n, channels = embed_file(model, fasta, out, bed=bed, pool=pool, species=species)
    from rich.console import Console

    Console().print(f"{n:,} rows of {channels} channels are in {out}.", highlight=False)


@app.command
def logo(
    *,
    model: str,
    fasta: Path,
    region: str,
    sites: Path | None = None,
    table: Path | None = None,
    species: str | None = None,
    out: Path,
) -> None:
    """Draw what a language model expects at every base of a region while that base is hidden.

    Args:
        model: Packaged weights such as cisgram/yeast-lm, a model directory, or a run.
        fasta: Genome, plain or compressed.
        region: Such as chrXIV:187,486-188,060, counted from 1; a strand may follow, as in
            chrXIV:1-500(-).
        sites: BED of what is known, to be drawn above.
        table: Also write the probabilities, tab-separated, a row a base.
        species: Which of the genomes it learnt from the model is to take this DNA for; the first by
            default. `cisgram models show` lists them.
        out: .svg file.
    """
    from cisgram.report.region import draw_region

    found = draw_region(model, fasta, region, out=out, sites=sites, table=table, species=species)
    from rich.console import Console

    show_region(found)
    Console().print(f"{found.map.region} is drawn in {out}.", highlight=False)


def show_region(found: "RegionReading") -> None:
    """Print what a model expects at known sites, and how often it is right, beside chance."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if found.sites:
        table = Table(box=None, pad_edge=False)
        for name in ("known site", "place", "DNA", "expected", "bits a base"):
            table.add_column(name, justify="right" if name == "bits a base" else "left")
        for site in found.sites:
            place = f"{site.place.start + 1:,}-{site.place.end:,} {site.place.strand}"
            cells = (site.name, place, site.dna, site.expected)
            table.add_row(*cells, f"{site.information:.2f}")
        table.add_row("elsewhere", "", "", "", f"{found.information:.2f}")
        console.print(table)
    console.print(
        f"The likeliest base is the true one at {found.right:.0%} of {found.n_known:,} bases; "
        f"saying {found.commonest}, the commonest here, at {found.right_by_commonest:.0%}.",
        highlight=False,
    )


def show_evaluation(result: "LMEvaluation") -> None:
    """Print perplexity by region beside the baselines'."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, pad_edge=False)
    table.add_column("region")
    table.add_column("bases", justify="right")
    models = list(result.perplexity)
    for name in models:
        table.add_column(name, justify="right")
    for region, n in result.n_bases.items():
        cells = [f"{result.perplexity[name].get(region, float('nan')):.3f}" for name in models]
        table.add_row(region, f"{n:,}", *cells)
    console.print(table)
    interval = result.interval
    console.print(
        f"Overall {interval.value:.4f} (95 % {interval.low:.4f} to {interval.high:.4f}, blocks of "
        "10,000 bases drawn); uniform guessing gives 4.",
        highlight=False,
    )
    for note in result.notes:
        console.print(note, highlight=False)


def _split(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for name in names for part in name.split(",") if part.strip())
