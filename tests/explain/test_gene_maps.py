import numpy as np
import polars as pl
import pytest
from prediction.toy_reader import GENES, toy_reader, toy_reference

from cisgram.core.checks import ConfigError
from cisgram.explain.gene_maps import mutate_for_gene
from cisgram.genome.alphabet import decode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.prediction.variants import score_variants


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return toy_reference(tmp_path_factory.mktemp("maps"))


@pytest.mark.parametrize(("name", "start"), [("left", 590), ("right", 762)])
@pytest.mark.parametrize("strand", [".", "-"])
def test_a_map_has_the_effects_of_the_variants(reference, name, start, strand):
    reader, gene = toy_reader(), GENES[name]
    region = Interval("c0", start, start + 6, strand)
    found = mutate_for_gene(reader, reference, region, gene=gene)
    assert found.effects.shape == (6, 4, 2)
    bases = decode(reference.contig("c0"))
    rows = [
        ("c0", at, bases[at], alt)
        for at in range(start, start + 6)
        for alt in "ACGT"
        if alt != bases[at]
    ]
    variants = pl.DataFrame(rows, schema=["chrom", "start", "ref", "alt"], orient="row")
    scores = score_variants(reader, reference, variants, genes={name: gene}).effects
    expected = np.zeros((6, 4, 2), np.float32)
    for (_, at, _, alt), effect in zip(rows, scores, strict=True):
        expected[at - start, "ACGT".index(alt)] = effect
    if strand == "-":
        expected = expected[::-1, ::-1]
    np.testing.assert_allclose(found.effects, expected, rtol=1e-3, atol=2e-6)
    own = reference.contig("c0")[start : start + 6]
    np.testing.assert_array_equal(found.tokens, reverse_complement(own) if strand == "-" else own)
    assert abs(found.of("worth")).max() > 1e-4


def test_a_region_far_from_the_gene_is_refused(reference):
    for region in (Interval("c0", 900, 910), Interval("c1", 655, 661)):
        with pytest.raises(ConfigError, match="reaches outside"):
            mutate_for_gene(toy_reader(), reference, region, gene=GENES["left"])


def test_an_output_that_the_model_lacks_is_refused(reference):
    found = mutate_for_gene(toy_reader(), reference, Interval("c0", 655, 656), gene=GENES["left"])
    with pytest.raises(ConfigError, match="track must be"):
        found.of("tss")
