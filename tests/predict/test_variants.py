import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import DataError
from cisgram.genome.alphabet import decode, reverse_complement
from cisgram.genome.reference import Reference
from cisgram.predict.genes import GeneReadout, gene_window, read_gene
from cisgram.predict.tracks import TrackReader
from cisgram.predict.variants import VariantConfig, score_variants
from predict.toy_reader import GENES, toy_reader, toy_reference


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return toy_reference(tmp_path_factory.mktemp("variants"))


@pytest.fixture(scope="module")
def reader() -> TrackReader:
    return toy_reader()


def table(*rows: tuple[str, int, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["chrom", "start", "ref", "alt"], orient="row")


def other(base: str) -> str:
    return "A" if base != "A" else "C"


def test_an_effect_is_the_difference_of_two_whole_readings(reader, reference):
    contig = decode(reference.contig("c0"))
    alt = other(contig[590])
    found = score_variants(
        reader, reference, table(("c0", 590, contig[590], alt)), genes={"left": GENES["left"]}
    )
    place = gene_window(reader, reference, GENES["left"])
    windows = np.stack([reference.fetch(place.window)] * 2)
    windows[1, 590 - place.window.start] = "ACGT".index(alt)
    read = reader.read(windows)
    body, before = slice(place.first, place.past), -(-12 // reader.model.resolution)
    worth = read.values[:, body, 0, 0].mean(axis=1)
    word = read.tracks[:, place.first - before : place.past, 0].sum(axis=1)
    expected = [worth[1] - worth[0], np.log2((1 + word[1]) / (1 + word[0]))]
    np.testing.assert_allclose(found.effects[0], expected, rtol=1e-3, atol=1e-6)
    assert found.outputs == ("worth", "word+")
    assert abs(found.effects).min() > 0


def test_effects_turn_their_sign_with_the_alleles(reader, reference, tmp_path):
    contig = decode(reference.contig("c0"))
    alt = other(contig[650])
    edited = contig[:650] + alt + contig[651:]
    (tmp_path / "edited.fa").write_text(f">c0\n{edited}\n")
    swapped = Reference.from_fasta(tmp_path / "edited.fa", tmp_path / "edited")
    genes = {"left": GENES["left"]}
    forward = score_variants(reader, reference, table(("c0", 650, contig[650], alt)), genes=genes)
    backward = score_variants(reader, swapped, table(("c0", 650, alt, contig[650])), genes=genes)
    np.testing.assert_allclose(forward.effects, -backward.effects, rtol=1e-3, atol=1e-6)


def test_each_variant_is_scored_for_the_genes_within_reach(reader, reference):
    contig = decode(reference.contig("c0"))
    places = (560, 645, 689, 1_500)
    variants = table(*(("c0", at, contig[at], other(contig[at])) for at in places))
    found = score_variants(reader, reference, variants, genes=GENES, config=VariantConfig(reach=40))
    assert found.pairs.tolist() == [[0, 0], [1, 0], [2, 1]]
    rows = found.table()
    assert rows.columns == ["chrom", "pos", "ref", "alt", "gene", "track", "effect"]
    assert rows["pos"].to_list() == [561, 561, 646, 646, 690, 690]
    assert rows["gene"].to_list() == ["left"] * 4 + ["right"] * 2
    assert rows["track"].to_list() == ["worth", "word+"] * 3


def test_many_variants_of_a_gene_are_scored_as_each_alone(reader, reference):
    contig = decode(reference.contig("c0"))
    rows = [("c0", at, contig[at], other(contig[at])) for at in range(560, 630)]
    genes = {"left": GENES["left"]}
    together = score_variants(reader, reference, table(*rows), genes=genes)
    alone = score_variants(reader, reference, table(rows[66]), genes=genes)
    np.testing.assert_allclose(together.effects[66], alone.effects[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["left", "right"])
def test_a_deletion_before_a_gene_leaves_the_gene_in_its_bins(reader, reference, name):
    gene = GENES[name]
    plus = gene.strand == "+"
    at = gene.start - 40 if plus else gene.end + 24
    contig = decode(reference.contig("c0"))
    ref, alt = contig[at : at + 17], contig[at]
    found = score_variants(reader, reference, table(("c0", at, ref, alt)), genes={name: gene})
    place = gene_window(reader, reference, gene)
    edited = reference.contig("c0").tolist()
    del edited[at + 1 : at + 17]
    low = place.window.start - (16 if plus else 0)
    window = np.array(edited[low : low + place.window.length], dtype=np.uint8)
    window = window if plus else reverse_complement(window)
    readout = GeneReadout(reader, place)
    read = read_gene(readout, np.stack([reference.fetch(place.window), window]))
    np.testing.assert_allclose(found.effects[0], readout.effects(read[1], read[0]), atol=1e-5)
    assert abs(found.effects).min() > 1e-4


def test_an_allele_that_the_reference_has_not_is_refused(reader, reference):
    wrong = other(decode(reference.contig("c0"))[600])
    with pytest.raises(DataError, match="variants"):
        score_variants(reader, reference, table(("c0", 600, wrong, "G")), genes=GENES)


def test_no_gene_near_gives_no_row(reader, reference):
    base = decode(reference.contig("c0"))[1_900]
    variants = table(("c0", 1_900, base, other(base)))
    found = score_variants(reader, reference, variants, genes=GENES, config=VariantConfig(reach=10))
    assert found.table().height == 0
