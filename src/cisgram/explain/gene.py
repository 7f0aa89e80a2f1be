"""A gene explained from its sequence in every way, as sections."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cisgram.explain.attribute import attribute_subject, compare_with_mutations
from cisgram.explain.expected import check_drawable, expect
from cisgram.explain.hits import find_motifs
from cisgram.explain.insert import insert
from cisgram.explain.insertion_sites import InsertConfig
from cisgram.explain.motifs import Motif
from cisgram.explain.mutate import mutate_subject
from cisgram.explain.sections import (
    Section,
    attribution_section,
    expected_section,
    insertion_section,
    motif_section,
    mutation_section,
    signal_section,
)
from cisgram.explain.subject import find_subject
from cisgram.genome.interval import Interval
from cisgram.models.base import require_language_model
from cisgram.plot.sites import Site
from cisgram.prediction.predict import predict_genes
from cisgram.prediction.sequences import window_of
from cisgram.prediction.session import Session
from cisgram.prediction.signal import Signal, predict_signal


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """Motifs to be inserted before genes."""

    motifs: tuple[Motif, ...]
    genes: tuple[str, ...] | None = None
    """Identifiers or names; all where None."""
    config: InsertConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneExplanation:
    """What a report shows of a gene."""

    model: str
    held_out: str
    """Which DNA the model was not trained on, in a sentence."""
    gene: str
    """Identifier."""
    name: str
    region: str
    """Bases that are explained."""
    output: str
    """The gene target or track that effects are on."""
    units: str
    """What it is measured in, as far as the model says."""
    predictions: dict[str, float]
    """What is predicted of the gene as it is."""
    sections: tuple[Section, ...]

    @property
    def level(self) -> float:
        """The prediction of `output`."""
        return self.predictions[self.output]

    @property
    def headline(self) -> str:
        """The prediction in a sentence."""
        return f"{self.model} predicts {self.output} of {self.name} at {self.level:,.2f}."

    def plain(self) -> dict[str, Any]:
        """Return it as what JSON can hold, without arrays and figures."""
        names = ("model", "held_out", "gene", "name", "region", "output", "units", "predictions")
        found = {name: getattr(self, name) for name in names}
        return found | {own.name: own.facts for own in self.sections if own.facts is not None}


def explain_gene(
    session: Session,
    region: str,
    *,
    gene: str | None = None,
    output: str | None = None,
    sites: Sequence[Site] = (),
    motifs: Sequence[Motif] = (),
    language_model: Session | None = None,
    insertion: Insertion | None = None,
) -> GeneExplanation:
    """Explain a gene: signal, mutagenesis, attribution, and what else is requested.

    Args:
        session: a model of tracks and genes.
        region: near the gene, whose bases are explained.
        gene: identifier or name; the gene whose TSS is nearest by default.
        output: gene target or track; the model's first by default.
        sites: known sites.
        motifs: looked for in the contributions.
        language_model: its predictions in the region are shown.
        insertion: motifs that are inserted before other genes.

    Raises:
        ConfigError: the model predicts nothing of genes, the language model is none, or the region
            is too far from the gene.
        DataError: there is no such gene, or a file cannot be used.
    """
    subject = find_subject(session, region, "gene", gene=gene, output=output)
    if language_model is not None:
        require_language_model(language_model.model, language_model.name)
        check_drawable(subject.region)
    inserted = None
    if insertion is not None:  # first, as what cannot be inserted is to be refused at once
        inserted = insert(
            session,
            insertion.motifs,
            readout="gene",
            genes=insertion.genes,
            output=subject.output,
            config=insertion.config,
        )
    signal = region_signal(session, signal_region(session, subject.gene_body))
    sections = [signal_section(signal, marked=subject.region)]
    mutations = mutate_subject(subject)
    attributions = attribute_subject(subject)
    agreement = compare_with_mutations(attributions, mutations)
    sections.append(mutation_section(mutations, sites=sites))
    if motifs:
        hits = find_motifs(mutations.contributions, motifs)
        sections.append(motif_section(mutations.contributions, hits, n_motifs=len(motifs)))
    sections.append(attribution_section(attributions, agreement, sites=sites))
    if language_model is not None:
        sections.append(expected_section(expect(language_model, subject.region, sites=sites)))
    if inserted is not None:
        sections.append(insertion_section(inserted))
    predicted = predict_genes(session, {subject.gene: subject.gene_body})
    return GeneExplanation(
        model=session.name,
        held_out=session.held_out,
        gene=subject.gene,
        name=subject.name,
        region=str(subject.region),
        output=subject.output,
        units=session.outputs.units.get(subject.output, ""),
        predictions=dict(zip(predicted.outputs, predicted.values[0].tolist(), strict=True)),
        sections=tuple(sections),
    )


def signal_region(session: Session, gene: Interval) -> Interval:
    """Return the bases that the window with a gene in its middle predicts, left to right."""
    window = window_of(gene, session.model, session.reference, inside=True)
    size = session.reference.contig(gene.chrom).size
    margin = session.outputs.margin
    return Interval(window.chrom, window.start + margin, min(window.end - margin, size))


def region_signal(session: Session, region: Interval) -> Signal:
    """Return the signal along a region, with the genes there where they are known."""
    (found,) = predict_signal(session, [region], session.reference)
    if not session.has_genes:
        return found
    near = {name: place for name, place in session.genes.by_name.items() if place.overlaps(region)}
    return replace(found, genes=near)
