"""Effects of variants, against both alleles read by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import N, decode, encode, reverse_complement
from cisgram.genome.reference import Reference
from cisgram.prediction.language import PseudoLikelihood
from cisgram.prediction.readouts import GeneLevels, TrackSums
from cisgram.prediction.sequences import Windows
from cisgram.prediction.session import Session
from cisgram.prediction.variants import VariantConfig, score_variants
from prediction.toy_session import (
    GENES,
    MODELS,
    by_hand,
    gene_model,
    language_model,
    session,
    track_model,
    window_model,
    write_genome,
)

CLOSE: dict[str, Any] = {"rtol": 1e-3, "atol": 2e-5}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("variants")
    write_genome(place)
    return place


@pytest.fixture(scope="module")
def toy(place: Path) -> Session:
    return session(gene_model(), place)


def table(*rows: tuple[str, int, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["chrom", "start", "ref", "alt"], orient="row")


def other(base: str) -> str:
    return "A" if base != "A" else "C"


def snv(reference: Reference, chrom: str, at: int) -> tuple[str, int, str, str]:
    base = decode(reference.contig(chrom))[at]
    return chrom, at, base, other(base)


def deletion(reference: Reference, chrom: str, at: int, n: int) -> tuple[str, int, str, str]:
    bases = decode(reference.contig(chrom))[at : at + n + 1]
    return chrom, at, bases, bases[0]


def insertion(reference: Reference, chrom: str, at: int, new: str) -> tuple[str, int, str, str]:
    base = decode(reference.contig(chrom))[at]
    return chrom, at, base, base + new


def edited(reference: Reference, variant: tuple[str, int, str, str]) -> np.ndarray:
    """The contig with the alternate allele, and many N on either side of it."""
    chrom, at, ref, alt = variant
    contig = reference.contig(chrom)
    assert decode(contig[at : at + len(ref)]) == ref
    return np.concatenate([contig[:at], encode(alt), contig[at + len(ref) :]])


def cut(contig: np.ndarray, start: int, length: int) -> np.ndarray:
    padded = np.pad(contig, 200, constant_values=N)
    return padded[start + 200 : start + 200 + length]


def test_an_effect_on_a_gene_is_that_of_two_windows_read_by_hand(toy: Session) -> None:
    variant = snv(toy.reference, "c0", 590)
    found = score_variants(toy, table(variant), genes={"left": GENES["left"]})
    # The gene's 40 bases lie in the middle of 128: bins 7 to 16 of those from base 16 on.
    start = 600 - 44
    windows = [cut(toy.reference.contig("c0"), start, 128), cut(edited(toy.reference, variant),
                                                                start, 128)]  # fmt: skip
    before, after = (by_hand(gene_model(), window) for window in windows)
    targets = (after - before)[7:17, 3:5].mean(axis=0)
    sums = [
        [own[4:17, 0].sum(), own[7:17, 2].sum()] for own in (before, after)
    ]  # 12 bases before the gene count to `word+`
    logsed = np.log2((1 + np.array(sums[1])) / (1 + np.array(sums[0])))
    np.testing.assert_allclose(found.effects[0], [*targets, *logsed], **CLOSE)
    assert found.outputs == ("worth", "age", "word+", "both")
    assert abs(found.effects).min() > 1e-4


VARIANTS = {
    "substitution": lambda own: snv(own, "c0", 1_000),
    "insertion": lambda own: insertion(own, "c0", 1_000, "GATTACA"),
    "deletion": lambda own: deletion(own, "c0", 1_000, 9),
    "replacement": lambda own: ("c0", 1_000, decode(own.contig("c0")[1_000:1_004]), "GATTACA"),
    "first base": lambda own: snv(own, "c0", 0),
    "insertion after the first base": lambda own: insertion(own, "c0", 0, "GATTACA"),
    "deletion of the first bases": lambda own: deletion(own, "c0", 0, 20),
    "last base": lambda own: snv(own, "c0", 1_999),
    "insertion after the last base": lambda own: insertion(own, "c0", 1_999, "GATTACA"),
    "deletion of the last bases": lambda own: deletion(own, "c0", 1_980, 19),
    "contig shorter than a window": lambda own: deletion(own, "c2", 50, 3),
}


@pytest.mark.parametrize("kind", VARIANTS)
def test_tracks_of_both_alleles_are_those_of_plain_forward_passes(kind: str, place: Path) -> None:
    """Both strands of the window around the variant, the bases before the allele in place."""
    own = session(track_model(), place)
    variant = VARIANTS[kind](own.reference)
    chrom, at, ref, _ = variant
    found = score_variants(own, table(variant), "tracks")
    contig = own.reference.contig(chrom)
    start = at - (128 - len(ref)) // 2
    start = max(min(start, contig.size - 128), 0)
    if kind == "insertion after the last base":
        start += 7  # so that what is inserted lies in the window
    windows = [cut(contig, start, 128), cut(edited(own.reference, variant), start, 128)]
    before, after = (by_hand(track_model(), window).sum(axis=0) for window in windows)
    np.testing.assert_allclose(found.effects[0], np.log2((1 + after) / (1 + before)), **CLOSE)
    assert abs(found.effects).min() > 1e-5
    assert (found.genes, found.pairs.tolist()) == ((), [[0, -1]])


@pytest.mark.parametrize("name", ["left", "right", "first", "last"])
@pytest.mark.parametrize("kind", ["snv", "insertion", "deletion"])
@pytest.mark.parametrize("place_of", ["before", "inside", "after"])
def test_indels_leave_the_genes_start_where_it_is(
    name: str, kind: str, place_of: str, toy: Session
) -> None:
    """On whichever side of the gene's start they lie, on either strand, at contigs' ends too."""
    gene, reference = GENES[name], toy.reference
    left = (place_of == "before") == (gene.strand == "+")
    at = gene.start - 15 if left else gene.end + 5
    at = (gene.start + gene.end) // 2 if place_of == "inside" else at
    make = {
        "snv": lambda: snv(reference, gene.chrom, at),
        "insertion": lambda: insertion(reference, gene.chrom, at, "GATTACA"),
        "deletion": lambda: deletion(reference, gene.chrom, at, 4),
    }
    variant = make[kind]()
    found = score_variants(toy, table(variant), genes={name: gene})
    start = max(min(gene.around(128).start, 2_000 - 128), 0)
    shift = len(variant[3]) - len(variant[2])
    plus = gene.strand == "+"
    # Bases on the side of the start stay; what comes before it moves the other way.
    anchor = gene.start if plus else gene.end
    moved = start + shift if variant[1] + len(variant[2]) <= anchor else start
    windows = [
        cut(reference.contig(gene.chrom), start, 128),
        cut(edited(reference, variant), moved, 128),
    ]
    windows = windows if plus else [reverse_complement(own) for own in windows]
    low = gene.start - start if plus else start + 128 - gene.end
    span = np.array([[low, low + gene.length]] * 2)
    readout = GeneLevels(toy.outputs)
    before, after = readout.read(toy.model, Windows(np.stack(windows), span))
    np.testing.assert_allclose(found.effects[0], readout.effect(after, before), **CLOSE)


@pytest.mark.parametrize("kind", ["substitution", "insertion", "deletion", "replacement"])
def test_likelihoods_are_of_as_many_bases_of_both_alleles(kind: str, place: Path) -> None:
    own = session(language_model(), place)
    variant = VARIANTS[kind](own.reference)
    _, at, ref, alt = variant
    found = score_variants(own, table(variant), PseudoLikelihood(flank=2))
    start = at - (32 - len(ref)) // 2
    windows = np.stack([
        cut(own.reference.contig("c0"), start, 32), cut(edited(own.reference, variant), start, 32)
    ])  # fmt: skip
    span = [at - start, at - start + max(len(ref), len(alt))]
    before, after = PseudoLikelihood(flank=2).read(
        own.model, Windows(windows, np.array([span] * 2))
    )
    assert found.outputs == ("log_ratio",)
    np.testing.assert_allclose(found.effects[0], after - before, rtol=1e-4, atol=1e-5)


def test_a_masked_log_ratio_is_the_likelihood_without_flanks(place: Path) -> None:
    own = session(language_model(), place)
    rows = [snv(own.reference, "c0", at) for at in (500, 1_000)]
    rows.append(insertion(own.reference, "c0", 1_200, "A"))
    masked = score_variants(own, table(*rows))
    alone = score_variants(own, table(*rows), PseudoLikelihood(flank=0))
    # The windows differ, as sites of one pass share theirs; a site's neighbours are the same.
    np.testing.assert_allclose(masked.effects[:2], alone.effects[:2], atol=0.2)
    assert np.isnan(masked.effects[2]).all()
    assert np.isfinite(alone.effects).all()


def test_windows_of_another_projects_network_are_read_on_both_strands(place: Path) -> None:
    own = session(window_model(), place, genes=False)
    variant = snv(own.reference, "c0", 700)
    found = score_variants(own, table(variant))
    start = 700 - 19
    windows = [cut(own.reference.contig("c0"), start, 40), cut(edited(own.reference, variant),
                                                               start, 40)]  # fmt: skip
    both = np.stack([*windows, *(reverse_complement(window) for window in windows)])
    with torch.no_grad():
        read = own.model(torch.from_numpy(both)).numpy()
    expected = (read[1] + read[3] - read[0] - read[2]) / 2
    np.testing.assert_allclose(found.effects[0], expected, **CLOSE)
    assert found.table["output"].to_list() == ["a", "b"]


@pytest.mark.parametrize("name", MODELS)
def test_embeddings_of_both_alleles_are_apart(name: str, place: Path) -> None:
    own = session(MODELS[name](), place)
    rows = [make(own.reference) for make in (VARIANTS["substitution"], VARIANTS["deletion"])]
    found = score_variants(own, table(*rows), "embedding-distance")
    assert found.outputs == ("euclidean", "cosine")
    assert (found.effects[:, 0] > 0).all()


def test_effects_turn_their_sign_with_the_alleles(toy: Session, tmp_path: Path) -> None:
    contig = decode(toy.reference.contig("c0"))
    variant = snv(toy.reference, "c0", 650)
    (tmp_path / "edited.fa").write_text(f">c0\n{contig[:650]}{variant[3]}{contig[651:]}\n")
    swapped = Session(toy.model, genome=tmp_path / "edited.fa")
    genes = {"left": GENES["left"]}
    forward = score_variants(toy, table(variant), genes=genes)
    back = table(("c0", 650, variant[3], variant[2]))
    backward = score_variants(swapped, back, "gene", genes=genes)
    np.testing.assert_allclose(forward.effects, -backward.effects, rtol=1e-3, atol=1e-6)


def test_each_variant_is_scored_for_the_genes_within_reach(toy: Session) -> None:
    rows = [snv(toy.reference, "c0", at) for at in (560, 645, 689, 1_500)]
    found = score_variants(toy, table(*rows), config=VariantConfig(reach=40))
    names = [found.genes[gene] for gene in found.pairs[:, 1]]
    assert list(zip(found.pairs[:, 0].tolist(), names, strict=True)) == [
        (0, "left"),
        (1, "left"),
        (2, "right"),
    ]
    assert found.n_far == 1
    own = found.table
    assert own.columns == ["chrom", "pos", "ref", "alt", "gene", "name", "output", "effect"]
    assert own["pos"].to_list() == [561] * 4 + [646] * 4 + [690] * 4
    assert own["output"].to_list() == ["worth", "age", "word+", "both"] * 3
    np.testing.assert_array_equal(own["effect"], found.effects.ravel())
    chosen = score_variants(toy, table(*rows), genes=["LEF1"], config=VariantConfig(reach=40))
    assert set(chosen.table["gene"]) == {"left"}


def test_many_variants_are_scored_as_each_alone(toy: Session, place: Path) -> None:
    rows = [snv(toy.reference, "c0", at) for at in range(560, 630)]
    genes = {"left": GENES["left"]}
    together = score_variants(toy, table(*rows), genes=genes)
    alone = score_variants(toy, table(rows[66]), genes=genes)
    np.testing.assert_allclose(together.effects[66], alone.effects[0], rtol=1e-3, atol=1e-6)
    tracks = session(track_model(), place)
    together = score_variants(tracks, table(*rows), "tracks")
    alone = score_variants(tracks, table(rows[66]), TrackSums(tracks.outputs))
    np.testing.assert_allclose(together.effects[66], alone.effects[0], rtol=1e-3, atol=1e-6)


def test_nothing_near_and_nothing_at_all_is_a_table_without_rows(toy: Session) -> None:
    far = table(snv(toy.reference, "c0", 1_900))
    assert score_variants(toy, far, config=VariantConfig(reach=10)).table.height == 0
    none = score_variants(toy, far.clear(), "tracks")
    assert (len(none), none.effects.shape) == (0, (0, 3))


@pytest.mark.parametrize("n", [70, 300])
def test_a_long_deletion_has_its_start_in_the_middle_of_the_window(n: int, place: Path) -> None:
    own = session(track_model(), place)
    variant = deletion(own.reference, "c0", 900, n)
    found = score_variants(own, table(variant), "tracks")
    contigs = (own.reference.contig("c0"), edited(own.reference, variant))
    before, after = (
        by_hand(track_model(), cut(contig, 837, 128)).sum(axis=0) for contig in contigs
    )
    np.testing.assert_allclose(found.effects[0], np.log2((1 + after) / (1 + before)), **CLOSE)


def test_a_long_insertion_is_seen_from_its_start(place: Path) -> None:
    own = session(track_model(), place)
    variant = insertion(own.reference, "c0", 900, "GATTACA" * 14)
    found = score_variants(own, table(variant), "tracks")
    contigs = (own.reference.contig("c0"), edited(own.reference, variant))
    start = 900 + 99 - 128
    before, after = (
        by_hand(track_model(), cut(contig, start, 128)).sum(axis=0) for contig in contigs
    )
    np.testing.assert_allclose(found.effects[0], np.log2((1 + after) / (1 + before)), **CLOSE)


@pytest.mark.parametrize(
    ("variants", "options", "message"),
    [
        (("c0", 600, "wrong", "G"), {}, "1 of 1 variants do not fit"),
        (("c7", 600, "A", "G"), {}, "c7"),
        (("c0", 600, "wrong", "G"), {"readout": "tracks"}, "variants do not fit"),
        (("c0", 600, "right", "G"), {"readout": "masked"}, "readout must be one of gene, tracks"),
        (("c0", 600, "right", "G"), {"genes": ["YFG1"]}, "has no gene YFG1"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    variants: Any, options: dict[str, Any], message: str, toy: Session
) -> None:
    base = decode(toy.reference.contig("c0"))[600]
    refs = {"wrong": other(base), "right": base}
    chrom, at, ref, alt = variants
    row = (chrom, at, refs.get(ref, ref), alt if alt != refs.get(ref) else "T")
    with pytest.raises((ConfigError, DataError), match=message):
        score_variants(toy, table(row), **options)


def test_a_table_without_alleles_is_refused(toy: Session) -> None:
    with pytest.raises(DataError, match="must have columns chrom, start, ref, alt; ref, alt is"):
        score_variants(toy, pl.DataFrame({"chrom": ["c0"], "start": [5]}))
    with pytest.raises(ConfigError, match=r"needs a VCF to annotate; write \.tsv or \.parquet"):
        score_variants(toy, table(snv(toy.reference, "c0", 590))).write("out.vcf")
    with pytest.raises(ConfigError, match="reach must be at least 0; got -1"):
        VariantConfig(reach=-1)


def test_genes_without_an_annotation_are_asked_for(place: Path) -> None:
    own = session(gene_model(), place, genes=False)
    with pytest.raises(ConfigError, match="comes without genes; add --annotation"):
        score_variants(own, table(snv(own.reference, "c0", 590)), "gene")
    plain = score_variants(own, table(snv(own.reference, "c0", 590)))
    assert plain.outputs == ("word+", "word-", "both")


def test_effects_are_drawn_for_each_chromosome(toy: Session) -> None:
    rows = [snv(toy.reference, "c0", 610), snv(toy.reference, "c1", 610)]
    figure = score_variants(toy, table(*rows)).plot()
    assert figure.get_suptitle() == "Effect of the alternate allele on worth"
    assert [axes.get_ylabel() for axes in figure.axes] == ["c0", "c1"]
