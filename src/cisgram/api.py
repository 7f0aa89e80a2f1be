"""The front door: what `import cisgram` gives.

Every verb takes a model first: what `load` or `wrap` returned, or a name that `load` takes. A
loaded model has the verbs as methods too.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from torch import nn

from cisgram.benchmark.base import OwnGenome
from cisgram.benchmark.run import run_evaluations, table_of
from cisgram.data.outputs import Outputs
from cisgram.explain.attribute import Attributions, attribute
from cisgram.explain.insert import Insertions, insert
from cisgram.explain.insertion_sites import InsertConfig
from cisgram.explain.motifs import Motif
from cisgram.explain.mutate import Mutations, mutate
from cisgram.models.wrapped import Layout, wrap_network
from cisgram.personal.fit import Fit, fit_cohort
from cisgram.personal.fit_config import FitConfig, ModelName
from cisgram.prediction.embed import Embeddings, Pool, embed
from cisgram.prediction.predict import Predictions, predict
from cisgram.prediction.readouts import Readout
from cisgram.prediction.sequences import Asked, Sequences
from cisgram.prediction.session import Session
from cisgram.prediction.variants import VariantConfig, VariantEffects, score_variants
from cisgram.training.run import train

__all__ = [
    "LoadedModel",
    "Motif",
    "Outputs",
    "Sequences",
    "attribute",
    "bench",
    "embed",
    "fit",
    "insert",
    "load",
    "mutate",
    "predict",
    "score_variants",
    "train",
    "wrap",
]


class LoadedModel(Session):
    """A model with its card, outputs, genome and genes, ready for every verb.

    >>> import cisgram
    >>> model = cisgram.load("cisgram/yeast-lm", genome="yeast-r64")
    >>> model.outputs.names, model.reference.contigs["chrI"]
    (('A', 'C', 'G', 'T'), 230218)
    """

    def predict(
        self,
        sequences: Asked | None = None,
        readout: Readout | str | None = None,
        *,
        genes: Sequence[str] | None = None,
    ) -> Predictions:
        """Predict genes or sequences; `cisgram.predict` says how.

        >>> import cisgram
        >>> model = cisgram.load("cisgram/yeast-expression")
        >>> model.predict(genes=["SLA2"]).table.shape
        (1, 32)
        """
        return predict(self, sequences, readout, genes=genes)

    def embed(
        self, sequences: Asked, *, layer: str | None = None, pool: Pool = "mean"
    ) -> Embeddings:
        """Embed sequences by any layer; `cisgram.embed` says how.

        >>> import cisgram
        >>> model = cisgram.load("cisgram/yeast-lm", genome="yeast-r64")
        >>> model.embed("chrXIV:187,901-188,000").values.shape
        (1, 256)
        """
        return embed(self, sequences, layer=layer, pool=pool)

    def score_variants(
        self,
        variants: Path | str | pl.DataFrame,
        readout: Readout | str | None = None,
        *,
        genes: Sequence[str] | None = None,
        config: VariantConfig | None = None,
    ) -> VariantEffects:
        """Score alternate alleles; `cisgram.score_variants` says how.

        >>> import cisgram, polars as pl
        >>> snv = pl.DataFrame({"chrom": "chrXIV", "start": 187959, "ref": "A", "alt": "G"})
        >>> model = cisgram.load("cisgram/yeast-lm", genome="yeast-r64")
        >>> model.score_variants(snv).columns
        ['chrom', 'pos', 'ref', 'alt', 'output', 'effect']
        """
        return score_variants(self, variants, readout, genes=genes, config=config)

    def mutate(
        self,
        region: Asked,
        readout: Readout | str | None = None,
        *,
        gene: str | None = None,
        output: str | None = None,
    ) -> Mutations:
        """Mutate every base of a region to every other; `cisgram.mutate` says how.

        >>> import cisgram
        >>> model = cisgram.load("cisgram/yeast-expression")
        >>> model.mutate("chrXIV:187951-187952", gene="SLA2").effects.shape
        (2, 4)
        """
        return mutate(self, region, readout, gene=gene, output=output)

    def attribute(
        self,
        region: Asked,
        readout: Readout | str | None = None,
        *,
        gene: str | None = None,
        output: str | None = None,
        n_steps: int | None = None,
    ) -> Attributions:
        """Attribute an output to the bases of a region; `cisgram.attribute` says how.

        >>> import cisgram
        >>> model = cisgram.load("cisgram/yeast-expression")
        >>> model.attribute("chrXIV:187951-187960", gene="SLA2").table.height
        10
        """
        return attribute(self, region, readout, gene=gene, output=output, n_steps=n_steps)

    def insert(
        self,
        motifs: Sequence[Motif],
        sequences: Asked | None = None,
        *,
        readout: Readout | str | None = None,
        genes: Sequence[str] | None = None,
        output: str | None = None,
        config: InsertConfig | None = None,
    ) -> Insertions:
        """Insert motifs into shuffled sequences; `cisgram.insert` says how.

        >>> import cisgram
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4 * 40, 1))
        >>> model = cisgram.wrap(network, outputs=["a"], window=40)
        >>> config = InsertConfig(distances=(0,), n_backgrounds=2, n_nulls=2)
        >>> motif = cisgram.Motif.from_consensus("TATA", "TATAAA")
        >>> model.insert([motif], "ACGT" * 10, config=config).table.height
        1
        """
        return insert(
            self, motifs, sequences, readout=readout, genes=genes, output=output, config=config
        )


def load(
    name: Path | str,
    *,
    genome: Path | str | None = None,
    annotation: Path | str | None = None,
    species: str | None = None,
) -> LoadedModel:
    """Load packaged weights, a model directory or a run of `cisgram.train`.

    Args:
        name: such as `cisgram/yeast-expression`, or a path.
        genome: FASTA or packaged genome; the one that the model was trained on by default.
        annotation: GTF or GFF3 of its genes; a packaged genome has its own.
        species: which of the genomes that it was trained on the model is to take DNA for; the
            first by default.

    Raises:
        DataError: there is no such model, or it is damaged.
        ConfigError: it was not trained on that species.

    >>> load("cisgram/yeast-expression").outputs.gene_targets[:2]
    ('rnaseq_wt', 'rnaseq_snf2')
    """
    return LoadedModel.open(name, genome=genome, annotation=annotation, species=species)


def wrap(
    network: nn.Module,
    *,
    outputs: Sequence[str] | Outputs,
    window: int,
    layout: Layout = "channels-first",
    select: int | str | None = None,
    both_strands: bool = False,
    genome: Path | str | None = None,
    annotation: Path | str | None = None,
) -> LoadedModel:
    """Make a model of any network of DNA, which then has every verb.

    The network is run once on a window of N to see the shape of its output. It is not changed, and
    every verb returns it as found: its device, and the train or eval flag of each submodule.

    Args:
        network: takes a batch of windows and returns (batch, outputs), (batch, outputs, rows), or
            with other layouts (batch, rows, outputs); the rows lie in the middle of the window.
        outputs: names of its outputs, in their order; or all that is known of them.
        window: bases that it takes.
        layout: how it takes them: one-hot (batch, 4, length) or (batch, length, 4), or tokens
            (batch, length) with A C G T N = 0 to 4.
        select: number or key of the output, where it returns several.
        both_strands: average predictions over the window and its reverse complement.
        genome: FASTA or packaged genome that regions and variants lie on.
        annotation: GTF or GFF3 of its genes.

    Raises:
        ConfigError: the network does not take such windows, or returns another number of outputs.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4 * 200, 2))
    >>> model = wrap(network, outputs=["a", "b"], window=200)
    >>> model.predict(["ACGT" * 50]).columns
    ['name', 'chrom', 'start', 'end', 'strand', 'a', 'b']
    """
    model = wrap_network(
        network,
        outputs=outputs,
        window=window,
        layout=layout,
        select=select,
        both_strands=both_strands,
    )
    name = type(network).__name__
    return LoadedModel(model, name=name, genome=genome, annotation=annotation)


def fit(
    cohort: Path | str,
    out: Path | str,
    *,
    model: ModelName = "elastic-net",
    genes: Sequence[str] | None = None,
    config: FitConfig | None = None,
) -> Fit:
    """Fit a linear model of each gene of a cohort, with nested cross-validation.

    Args:
        cohort: directory that `cisgram cohort import` made.
        out: directory to make; the same call continues an interrupted one.
        model: elastic-net, lasso, ridge or top-snp.
        genes: names of the genes; all by default.
        config: every setting, in place of `model`.
    """
    return fit_cohort(cohort, config or FitConfig(model=model), out, genes=genes)


def bench(
    model: Path | str,
    tasks: Sequence[str] = ("yeast",),
    *,
    data: Path | str | None = None,
    out: Path | str,
    targets: Path | str | None = None,
    genome: Path | str | None = None,
    annotation: Path | str | None = None,
    contigs: Sequence[str] = (),
) -> pl.DataFrame:
    """Evaluate a model on frozen tasks, beside their baselines.

    Args:
        model: packaged weights, a model directory or a run.
        tasks: names of tasks or suites; `cisgram bench list` shows them.
        data: directory with the public files of the suite; `perplexity` needs none.
        out: JSON file to write; tasks that it holds already are not run again.
        targets: measured tracks and gene targets, the `data` of a run of `cisgram.train`.
        genome: FASTA or packaged genome for `perplexity`, in place of the model's own.
        annotation: GTF or GFF3 of its genes, for perplexity by region.
        contigs: which of its contigs were held out; baselines learn from the others.

    Returns:
        A row a number: task, subset, predictor, baseline, output, metric, value, low, high, n.

    Raises:
        ConfigError: there is no such task, or none has a meaning for the model.
        DataError: a file is missing.
    """
    own = None
    if genome is not None:
        own = OwnGenome(genome=genome, annotation=annotation, contigs=tuple(contigs))
    result = run_evaluations(
        tasks,
        {str(model): [str(model)]},
        data=None if data is None else Path(data),
        out=Path(out),
        targets=None if targets is None else Path(targets),
        genome=own,
    )
    return table_of(result)
