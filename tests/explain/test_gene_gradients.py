import numpy as np
import pytest
import torch
from prediction.toy_reader import GENES, toy_reader, toy_reference

from cisgram.core.checks import ConfigError
from cisgram.explain.gene_gradients import GeneGradients, attribute_to_gene
from cisgram.explain.gradients import gradient_times_input
from cisgram.genome.alphabet import one_hot, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.prediction.genes import GeneReadout, gene_window, predict_genes


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return toy_reference(tmp_path_factory.mktemp("gradients"))


def explained(reference, gene="left", **options) -> GeneGradients:
    return attribute_to_gene(toy_reader(), reference, GENES[gene], **options)


@pytest.mark.parametrize("gene", ["left", "right"])
@pytest.mark.parametrize("output", ["worth", "word+"])
def test_a_base_adds_the_mean_of_what_it_adds_on_both_strands(reference, gene, output):
    reader = toy_reader()
    place = gene_window(reader, reference, GENES[gene])
    readout, tokens = GeneReadout(reader, place), reference.fetch(place.window)
    number = ("worth", "word+").index(output)
    both = [
        gradient_times_input(
            reader.model, own, reduce=lambda output, keep=keep: keep(output)[:, number]
        )
        for own, keep in ((tokens, readout), (reverse_complement(tokens), readout.turned))
    ]
    expected = (both[0].hypothetical + both[1].hypothetical[::-1, ::-1]) / 2
    level = (both[0].reference + both[1].reference) / 2
    if output == "word+":  # the slope of log2(1 + counts)
        expected = expected / (np.log(2) * (1 + level))
        level = np.log2(1 + level)
    found = explained(reference, gene, output=output)
    np.testing.assert_allclose(found.window.hypothetical, expected, rtol=1e-4, atol=1e-7)
    assert found.window.reference == pytest.approx(level, rel=1e-5)
    assert abs(both[0].hypothetical - both[1].hypothetical[::-1, ::-1]).max() > 1e-3
    assert (found.n_steps, found.window.completeness_gap) == (0, None)


def test_a_gene_of_the_other_strand_is_explained_alike(reference, tmp_path):
    """The genome reverse complemented, and the gene with it, changes nothing."""
    length = reference.contigs["c0"]
    gene = GENES["left"]
    turned = Interval("c0", length - gene.end, length - gene.start, "-")

    class Turned:
        """The same contig, read from the other end."""

        contig = staticmethod(lambda chrom: reverse_complement(reference.contig(chrom)))

        @staticmethod
        def fetch(place: Interval) -> np.ndarray:
            bases = Turned.contig(place.chrom)[place.start : place.end]
            return reverse_complement(bases) if place.strand == "-" else bases.copy()

    here = explained(reference, output="word+", n_steps=2)
    there = attribute_to_gene(toy_reader(), Turned(), turned, output="word+", n_steps=2)
    np.testing.assert_allclose(there.window.hypothetical, here.window.hypothetical, rtol=1e-5)
    region = Interval("c0", 560, 580, "-")
    mirrored = Interval("c0", length - 580, length - 560, "+")
    np.testing.assert_allclose(
        there.within(mirrored).hypothetical, here.within(region).hypothetical, rtol=1e-5
    )


@pytest.mark.parametrize("output", ["worth", "word+"])
def test_integrated_gradients_add_up_to_what_is_predicted(reference, output):
    reader = toy_reader()
    found = explained(reference, output=output, n_steps=30)
    (kept,) = predict_genes(reader, reference, [GENES["left"]])
    levels = np.array([kept[0], np.log2(1 + kept[1])])
    readout = GeneReadout(reader, found.place)
    with torch.inference_mode():
        nothing = reader.model.eval()(torch.full((1, 128, 4), 0.25))
        unknown = readout.levels((readout(nothing) + readout.turned(nothing)) / 2)[0].numpy()
    number = ("worth", "word+").index(output)
    rise = levels[number] - unknown[number]
    added = found.window.contributions.sum()
    assert abs(rise) > 0.005
    assert found.window.reference == pytest.approx(levels[number], rel=1e-4)
    assert abs(found.window.completeness_gap) < 0.02 * abs(found.window.contributions).sum()
    assert added - found.window.completeness_gap == pytest.approx(rise, abs=1e-4)
    assert found.n_steps == 30


@pytest.mark.parametrize("gene", ["left", "right"])
def test_a_region_is_cut_out_along_its_strand(reference, gene):
    found = explained(reference, gene, output="worth")
    region = Interval("c0", 690, 700) if gene == "right" else Interval("c0", 590, 600)
    plus = found.within(region)
    minus = found.within(Interval("c0", region.start, region.end, "-"))
    np.testing.assert_array_equal(plus.tokens, reference.contig("c0")[region.start : region.end])
    np.testing.assert_array_equal(minus.tokens, reverse_complement(plus.tokens))
    np.testing.assert_array_equal(minus.hypothetical, plus.hypothetical[::-1, ::-1])
    np.testing.assert_array_equal(minus.contributions, plus.contributions[::-1])
    shown = (plus.hypothetical * one_hot(plus.tokens)).sum(axis=1)
    np.testing.assert_array_equal(plus.contributions, shown)
    start, _ = found.place.window.locate(region)
    own = found.window.contributions[start : start + 10]
    np.testing.assert_array_equal(own, (minus if gene == "right" else plus).contributions)


def test_a_model_is_left_as_it_was(reference):
    reader = toy_reader()
    for training in (True, False):
        reader.model.train(training)
        attribute_to_gene(reader, reference, GENES["left"], output="worth")
        assert {part.training for part in reader.model.modules()} == {training}
    assert all(value.grad is None for value in reader.model.parameters())


def test_what_cannot_be_explained_is_refused(reference):
    with pytest.raises(ConfigError, match="track must be one of worth, word"):
        explained(reference, output="tss")
    with pytest.raises(ConfigError, match="n_steps must be at least 1"):
        explained(reference, output="worth", n_steps=0)
    with pytest.raises(ConfigError, match="reaches outside"):
        explained(reference, output="worth").within(Interval("c0", 900, 910))
