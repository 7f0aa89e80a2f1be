"""Options that several commands share; importing them brings nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cisgram.core.checks import ConfigError, check_suffix

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    import polars as pl
    from matplotlib.figure import Figure

    from cisgram.explain.gene import Insertion
    from cisgram.explain.sections import Section
    from cisgram.genome.reference import Reference
    from cisgram.plot.sites import Site
    from cisgram.prediction.reuse import ReuseConfig
    from cisgram.prediction.session import Session

Plugins = Annotated[tuple[Path, ...], Parameter(negative=())]
GenotypeFiles = Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())]
ALL, _FEW_GENES = "all", 20
_FIGURES = (".png", ".pdf", ".svg")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The model, and the genome that it is asked about."""

    model: str
    """Packaged weights such as cisgram/yeast-expression, a model directory, or a run of
    `cisgram train`."""
    genome: str | None = None
    """FASTA, or packaged genome such as yeast-r64; by default the packaged genome that the model
    was trained on."""
    annotation: str | None = None
    """GTF or GFF3 with the genes of the genome; a packaged genome has its own."""
    species: str | None = None
    """Genome in the training data that the model should take this DNA for; the first by default.
    `cisgram models show` lists them."""
    plugins: Plugins = ()
    """Python file with an architecture of your own, imported before the model is read. Several
    --plugins may be given."""

    def open(self) -> "Session":
        """Import the plugins and open the model."""
        from cisgram.core.plugins import import_plugins
        from cisgram.prediction.session import Session

        import_plugins(self.plugins)
        return Session.open(
            self.model, genome=self.genome, annotation=self.annotation, species=self.species
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RegionOptions:
    """The region, and what is read of the model."""

    region: str
    """Region such as chrII:278000-278500, counted from 1; a strand may follow, as in
    chrII:278000-278500(-)."""
    gene: str | None = None
    """Identifier or name of the gene that is read; by default the gene whose TSS is nearest to the
    region."""
    output: str | None = None
    """Gene target or track that is explained; by default the model's first gene target."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FigureOptions:
    """Whether a figure is drawn, and the known sites in it."""

    figure: Path | None = None
    """Figure to draw, .png, .pdf or .svg."""
    sites: Path | None = None
    """BED of known sites to mark in the figure."""

    def __post_init__(self) -> None:
        if self.figure is not None:
            check_suffix(self.figure, *_FIGURES)
        elif self.sites is not None:
            raise ConfigError("--sites are drawn in the figure; add --figure, or leave them out.")

    def read_sites(self, reference: "Reference") -> "list[Site]":
        """Return the known sites; none where no BED is named."""
        from cisgram.plot.sites import known_sites

        return known_sites(self.sites, reference)

    def save(self, draw: "Callable[[], Figure]") -> None:
        """Draw and write the figure where one is named."""
        from cisgram.plot.figures import save_figure

        if self.figure is not None:
            save_figure(draw(), self.figure)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """Where features are kept from one command to the next."""

    cache: Path | None = None
    """Directory that keeps the features of DNA for later commands that meet the same DNA. Features
    are found by the model's weights and the DNA itself, so any models and genomes may share it. It
    grows to 4 GiB at most, and may be deleted whenever no command uses it."""

    def config(self) -> "ReuseConfig":
        """Return how windows are to be predicted."""
        from cisgram.prediction.feature_cache import FeatureCache
        from cisgram.prediction.reuse import ReuseConfig

        return ReuseConfig(cache=None if self.cache is None else FeatureCache(self.cache))


NO_FIGURE, NO_CACHE = FigureOptions(), CacheOptions()


def read_genes(genes: str, session: "Session") -> "list[str] | None":
    """Return the genes that are named; None for all of them."""
    return None if genes == ALL else session.genes.read_names(genes)


def say(*texts: str, wrap: bool = True) -> None:
    """Print sentences, wrapped to the terminal or a line each."""
    from cisgram.cli.terminal import Terminal

    for text in texts:
        Terminal(wrap=wrap).print(text)


def save_json(path: Path | None, content: "Any") -> None:
    """Write a result as JSON where a file is named."""
    from cisgram.core.artifact import write_json

    if path is not None:
        write_json(path, content)


def show_table(
    names: "Sequence[str]", rows: "Iterable[Sequence[str]]", *, numbers: "Container[str]" = ()
) -> None:
    """Print a table; columns of numbers are set to the right."""
    from rich.table import Table

    from cisgram.cli.terminal import Terminal

    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in numbers else "left")
    for row in rows:
        table.add_row(*row)
    Terminal().print(table)


def numeric_columns(table: "pl.DataFrame") -> set[str]:
    """Return the names of a table's columns of numbers."""
    return {name for name, dtype in table.schema.items() if dtype.is_numeric()}


def show_section(section: "Section", where: str = "") -> None:
    """Print the sentence of an explanation, and its table."""
    from cisgram.core.results import cells_of

    if section.table is not None and section.table.height:
        table = section.table.rename(lambda name: name.replace("_", " "))
        show_table(table.columns, cells_of(section.table), numbers=numeric_columns(table))
    say(f"{section.sentence} {where}".strip())


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class InsertOptions:
    """Motifs that are inserted, where and how often."""

    motifs: Path | None = None
    """JASPAR or MEME file; the likeliest sequence of each motif is inserted."""
    motif: tuple[str, ...] = ()
    """Motif such as Reb1=TTACCCK, in IUPAC letters. The first base of a set is inserted, and N
    leaves the base that is there. Several --motif may be given."""
    distances: str = "50,100,150,200"
    """Distances in bases from the motif's middle to the TSS, between commas."""
    genes: str = ALL
    """`all`, identifiers or names of genes between commas, a file with one on each line, or a
    number of genes."""
    n_genes: int | None = None
    """Number of genes drawn at random; 20 of `all`, and every gene that is named, by default."""
    n_backgrounds: int = 5
    """Number of shuffled promoters of each gene that a motif is inserted into."""
    n_nulls: int = 10
    """Number of shuffles of the motif's letters for each gene, the null."""
    promoter: int = 500
    """Number of bases before the TSS that are shuffled, dinucleotides kept."""
    both_strands: bool = True
    """Insert motifs in both orientations, and average."""
    seed: int = 0
    """Random seed for everything that is drawn."""

    @property
    def named(self) -> bool:
        """Whether there are motifs."""
        return self.motifs is not None or bool(self.motif)

    def read(self, session: "Session") -> "Insertion":
        """Return what is to be inserted before genes of a session.

        Raises:
            ConfigError: no motif is named, or a distance is no number.
            DataError: a file cannot be used, or a motif has other letters.
        """
        from cisgram.explain.gene import Insertion
        from cisgram.explain.insertion_sites import InsertConfig
        from cisgram.explain.motif_files import read_motifs
        from cisgram.explain.motifs import Motif

        if not self.named:
            raise ConfigError("there are no motifs to insert; add --motifs, --motif or both.")
        found = () if self.motifs is None else read_motifs(self.motifs)
        found += tuple(Motif.parse(text) for text in self.motif)
        names = read_genes(self.genes, session)
        config = InsertConfig(
            distances=self._distances(),
            n_backgrounds=self.n_backgrounds,
            n_nulls=self.n_nulls,
            promoter=self.promoter,
            both_strands=self.both_strands,
            n_genes=self.n_genes or (_FEW_GENES if names is None else None),
            seed=self.seed,
        )
        return Insertion(motifs=found, genes=None if names is None else tuple(names), config=config)

    def _distances(self) -> tuple[int, ...]:
        try:
            return tuple(int(text) for text in self.distances.split(","))
        except ValueError as error:
            raise ConfigError(
                f"distances must be whole numbers between commas, such as 50,100; "
                f"got {self.distances!r}."
            ) from error


NO_MOTIFS = InsertOptions()
