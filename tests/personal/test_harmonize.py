"""Every model SNP gets one outcome, and the outcomes add up."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError, DataError
from cisgram.personal.harmonize import Harmonized, harmonize
from cisgram.personal.predictdb import WeightSet
from linear_models import make_weights

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


def target(*rows: tuple[str | None, str | None, int | None, str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        list(rows),
        schema={
            "id": pl.String, "chrom": pl.String, "start": pl.Int64, "ref": pl.String,
            "alt": pl.String,
        },
        orient="row",
    )  # fmt: skip


def snp(
    start: int | None, ref: str, eff: str, *, rsid: str | None = None, gene: str = "g"
) -> dict[str, object]:
    place = {} if start is None else {
        "chrom": "chr1", "start": start, "var_id": f"chr1_{start + 1}_{ref}_{eff}_b38"
    }  # fmt: skip
    return {"gene": gene, "rsid": rsid, "ref": ref, "eff": eff, "weight": 1.0, **place}


def outcomes(found: Harmonized) -> list[str]:
    return found.snps["outcome"].to_list()


def test_every_outcome_by_position() -> None:
    weights = make_weights(
        [
            snp(10, "A", "G"), snp(20, "A", "G"), snp(30, "A", "G"), snp(40, "A", "G"),
            snp(50, "A", "T"), snp(60, "A", "T"), snp(70, "A", "G"), snp(80, "A", "G"),
            snp(90, "AT", "A"), snp(100, "AT", "A"),
        ]
    )  # fmt: skip
    variants = target(
        (None, "1", 10, "A", "G"), (None, "1", 20, "G", "A"), (None, "1", 30, "T", "C"),
        (None, "1", 40, "C", "T"), (None, "1", 50, "A", "T"), (None, "1", 60, "T", "A"),
        (None, "1", 70, "A", "C"), (None, "1", 90, "AT", "A"), (None, "1", 100, "A", "AT"),
    )  # fmt: skip
    found = harmonize(weights, variants, what="x")
    assert outcomes(found) == [
        "used", "swapped", "flipped", "flipped and swapped", "used", "swapped", "mismatch",
        "absent", "used", "swapped",
    ]  # fmt: skip
    assert found.snps["row"].to_list() == [0, 1, 2, 3, 4, 5, None, None, 7, 8]
    assert found.snps["swapped"].to_list() == [
        False, True, False, True, False, True, False, False, False, True,
    ]  # fmt: skip
    assert found.total == {
        "n_model": 10, "n_used": 8, "n_swapped": 4, "n_flipped": 2, "n_ambiguous": 0,
        "n_absent": 1, "n_mismatch": 1, "n_duplicate": 0,
    }  # fmt: skip
    assert found.snps["chrom"].unique().to_list() == ["chr1"]
    assert found.snps["found_alt"].to_list()[5:8] == ["A", "C", None]  # a mismatch is shown
    assert found.notes == ()


def test_options_for_ambiguous_snps() -> None:
    weights = make_weights([snp(50, "A", "T"), snp(60, "C", "G"), snp(70, "A", "G")])
    variants = target(
        (None, "1", 50, "A", "T"), (None, "1", 60, "G", "C"), (None, "1", 70, "T", "C")
    )
    assert outcomes(harmonize(weights, variants, what="x")) == ["used", "swapped", "flipped"]
    drop = harmonize(weights, variants, what="x", ambiguous="drop")
    assert outcomes(drop) == ["ambiguous", "ambiguous", "flipped"]
    trust = harmonize(weights, variants, what="x", ambiguous="same-strand")
    assert outcomes(trust) == ["used", "swapped", "mismatch"]
    with pytest.raises(ConfigError, match="ambiguous must be one of"):
        harmonize(weights, variants, what="x", ambiguous="maybe")  # pyright: ignore


def test_alleles_choose_the_row_of_a_multi_allelic_site() -> None:
    weights = make_weights([snp(10, "A", "G"), snp(20, "A", "G")])
    variants = target(
        (None, "chr1", 10, "A", "C"), (None, "chr1", 10, "A", "G"), (None, "chr1", 10, "A", "T"),
        (None, "chr1", 20, "G", "A"), (None, "chr1", 20, "A", "G"), (None, "chr1", 20, "A", "G"),
    )  # fmt: skip
    found = harmonize(weights, variants, what="x")
    assert found.snps["row"].to_list() == [1, 4]
    assert found.snps["duplicate"].to_list() == [False, True]
    assert found.total["n_duplicate"] == 1


def test_indels_with_other_padding_are_the_same() -> None:
    """One T deleted from CATTG, and GA put after base 40, whichever bases stand around them."""
    weights = make_weights(
        [snp(11, "AT", "A"), snp(11, "AT", "A"), snp(11, "A", "AT"), snp(40, "C", "CGA"),
         snp(40, "C", "CGA", rsid="rs1"), snp(70, "AT", "A"), snp(90, "CG", "CT")]
    )  # fmt: skip
    rows = [
        (None, "1", 10, "CATTG", "CATG"), (None, "1", 39, "tc", "tcga"),
        ("rs1", "1", 40, "CA", "CGAA"), (None, "1", 70, "ATT", "A"), (None, "1", 91, "G", "T"),
    ]  # fmt: skip
    found = harmonize(weights, target(*rows), what="x")
    assert outcomes(found) == ["used", "used", "swapped", "used", "used", "mismatch", "used"]
    assert found.snps["row"].to_list() == [0, 0, 0, 1, 1, None, 4]
    assert found.snps["found_ref"].to_list()[:2] == ["CATTG", "CATTG"]
    assert found.notes == ()


def test_a_usable_row_at_the_position_beats_the_same_id_elsewhere() -> None:
    weights = make_weights([snp(99, "A", "G", rsid="rs1")])
    here, there = ("rs1", "1", 99, "G", "A"), ("rs1", "1", 5000, "A", "G")
    for rows in ((here, there), (there, here)):
        found = harmonize(weights, target(*rows), what="x").snps.row(0, named=True)
        assert (found["row"], found["outcome"]) == (rows.index(here), "swapped")
        assert not found["duplicate"]
    other = target(("rs1", "1", 99, "C", "T"), (None, "1", 99, "A", "C"), there)
    assert harmonize(weights, other, what="x").snps["row"].to_list() == [0]
    wrong = target((None, "1", 99, "A", "C"), there)
    assert harmonize(weights, wrong, what="x").snps["row"].to_list() == [1]


def test_ids_find_what_has_no_position() -> None:
    weights = make_weights([snp(None, "A", "G", rsid="rs1"), snp(None, "C", "T", rsid="rs2")])
    variants = target(("rs2", None, None, "T", "C"), ("rs1", "7", 5, "A", "G"))
    found = harmonize(weights, variants, what="x")
    assert outcomes(found) == ["used", "swapped"]
    assert found.snps["row"].to_list() == [1, 0]


def test_an_id_may_be_a_list() -> None:
    weights = make_weights([snp(None, "A", "G", rsid="rs2"), snp(None, "A", "G", rsid="rs4")])
    variants = target(("rs1;rs2", "1", 10, "A", "G"), ("rs3,rs4", None, None, "G", "A"))
    assert outcomes(harmonize(weights, variants, what="x")) == ["used", "swapped"]


def test_variant_ids_are_ids_too() -> None:
    weights = make_weights([snp(10, "A", "G")], build="b38")
    variants = target(("chr1_11_A_G_b38", None, None, "a", "g"))
    assert outcomes(harmonize(weights, variants, what="x")) == ["used"]


def wrong_build(n_with_ids: int) -> tuple[WeightSet, pl.DataFrame]:
    weights = make_weights([snp(100 * i, "A", "G", rsid=f"rs{i}") for i in range(30)], build="b38")
    rows = [
        (f"rs{i}" if i < n_with_ids else None, "1", 100 * i + 1000, "A", "G") for i in range(30)
    ]
    return weights, target(*rows)


def test_another_assembly_is_noticed_by_ids() -> None:
    weights, variants = wrong_build(20)
    found = harmonize(weights, variants, what="genotypes v.vcf")
    assert found.snps["row"].to_list() == [*range(20), *[None] * 10]
    assert len(found.notes) == 1
    assert "20 lie at another position" in found.notes[0]


def test_another_assembly_that_is_declared() -> None:
    weights, variants = wrong_build(30)
    found = harmonize(weights, variants, what="x", build="hg19")
    assert found.snps["row"].to_list() == list(range(30))
    assert "b38 and x in b37" in found.notes[0]
    right = harmonize(weights, variants.head(2), what="x", build="GRCh38")
    assert "Only" in right.notes[0]


def test_a_build_needs_one_to_compare_with() -> None:
    weights, variants = wrong_build(30)
    with pytest.raises(ConfigError, match=r"models, .* no assembly; leave --build out") as error:
        harmonize(replace(weights, build=""), variants, what="x", build="b38")
    assert "\n" not in str(error.value)
    assert harmonize(weights, variants, what="x", build="GRCh38").total["n_used"] == 30


def test_chance_matches_of_another_assembly_are_refused(rng: np.random.Generator) -> None:
    n = 8_000
    ours, theirs = (rng.choice(400_000, n, replace=False) for _ in range(2))
    weights = make_weights(
        [snp(int(i), *alleles) for i, alleles in zip(ours, mutations(n, rng), strict=True)]
    )
    variants = target(
        *[
            (None, "1", int(i), *alleles)
            for i, alleles in zip(theirs, mutations(n, rng), strict=True)
        ]
    )
    with pytest.raises(DataError, match=r"only .* of the model's 8,000 can be used") as error:
        harmonize(weights, variants, what="genotypes v.vcf")
    assert re.search(r"found in genotypes v\.vcf .* bring both to the same", str(error.value))
    assert "\n" not in str(error.value)
    names = pl.format("1_{}", pl.col("start") + 1)  # IDs that are positions agree by chance, too
    named = weights.weights.with_columns(rsid=names)
    with pytest.raises(DataError, match=r"only .* of the model's 8,000 can be used"):
        harmonize(
            replace(weights, weights=named, build="b38"), variants.with_columns(id=names),
            what="x", build="b37",
        )  # fmt: skip
    known = target(*[(None, "1", row["start"], row["ref"], row["eff"])
                     for row in weights.weights.head(200).iter_rows(named=True)])  # fmt: skip
    found = harmonize(weights, known, what="x")
    assert (found.total["n_used"], len(found.notes)) == (200, 1)


def mutations(n: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Reference and alternate alleles; two thirds are transitions, as in people."""
    refs = rng.choice(list("ACGT"), n)
    pick = rng.choice(3, n, p=[2 / 3, 1 / 6, 1 / 6])
    alts = {"A": "GCT", "C": "TAG", "G": "ACT", "T": "CAG"}
    return [(str(ref), alts[str(ref)][i]) for ref, i in zip(refs, pick, strict=True)]


def test_places_with_other_alleles_are_suspicious() -> None:
    weights = make_weights([snp(10 * i, "A", "G") for i in range(30)])
    variants = target(*[(None, "1", 10 * i, "A", "G" if i < 5 else "C") for i in range(30)])
    notes = harmonize(weights, variants, what="x").notes
    assert "25 of 30 SNPs found in x have other alleles" in notes[0]
    assert "Only 5 of the model's 30 SNPs" in notes[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("rs7", "2", 10, "A", "G")], r"no chromosome: chr1 in the model, 2 there"),
        ([(None, "1", 11, "A", "G")], r"no rs numbers"),
        ([("rs7", "1", 10, "A", "C")], r"1 SNPs are there with other alleles"),
        ([], r"has no variant"),
    ],
)
def test_nothing_in_common_is_explained(
    rows: list[tuple[str | None, str, int, str, str]], message: str
) -> None:
    weights = make_weights([snp(10, "A", "G", rsid="rs1")])
    with pytest.raises(DataError, match=message) as error:
        harmonize(weights, target(*rows), what="genotypes v.vcf")
    assert "\n" not in str(error.value)
    if rows:
        assert "rs1 = chr1_11_A_G_b38" in str(error.value)


letters = st.sampled_from("ACGT")
pairs = st.tuples(letters, letters).filter(lambda pair: pair[0] != pair[1])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), pairs), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), pairs), min_size=1, max_size=12),
    st.sampled_from(["keep", "drop", "same-strand"]),
)
def test_outcomes_follow_the_rules_one_by_one(
    ours: list[tuple[int, tuple[str, str]]],
    theirs: list[tuple[int, tuple[str, str]]],
    ambiguous: str,
) -> None:
    model = [(900, ("A", "C")), *ours]
    rows = [(900, ("A", "C")), *theirs]
    weights = make_weights([snp(start, *alleles) for start, alleles in model])
    variants = target(*[(None, "1", start, *alleles) for start, alleles in rows])
    found = harmonize(weights, variants, what="x", ambiguous=ambiguous)  # pyright: ignore
    order = ["used", "swapped", "flipped", "flipped and swapped", "ambiguous", "mismatch", "absent"]
    for (start, (ref, eff)), outcome in zip(model, outcomes(found), strict=True):
        here = [alleles for place, alleles in rows if place == start]
        judged = [judge(ref, eff, *alleles, ambiguous) for alleles in here]
        assert outcome == min(judged, key=order.index, default="absent")
    total = found.total
    lost = total["n_ambiguous"] + total["n_absent"] + total["n_mismatch"]
    assert total["n_model"] == total["n_used"] + lost == len(model)


def judge(ref: str, eff: str, their_ref: str, their_alt: str, ambiguous: str) -> str:
    """Compare alleles the slow way."""
    flipped = (COMPLEMENT[ref], COMPLEMENT[eff])
    theirs = (their_ref, their_alt)
    if COMPLEMENT[ref] == eff and ambiguous == "drop":
        return "ambiguous" if set(theirs) == {ref, eff} else "mismatch"
    if theirs == (ref, eff):
        return "used"
    if theirs == (eff, ref):
        return "swapped"
    if ambiguous == "same-strand":
        return "mismatch"
    if theirs == flipped:
        return "flipped"
    return "flipped and swapped" if theirs == flipped[::-1] else "mismatch"


@pytest.mark.slow
def test_millions_of_variants_are_no_matter(rng: np.random.Generator) -> None:
    n = 3_000_000
    starts = np.sort(rng.integers(0, 200_000_000, n))
    variants = pl.DataFrame({"start": starts}).select(
        id=pl.format("rs{}", pl.int_range(pl.len())), chrom=pl.lit("1"), start="start",
        ref=pl.lit("A"), alt=pl.lit("G"),
    )  # fmt: skip
    chosen = rng.choice(n, 100_000, replace=False)
    rows = [snp(int(starts[i]), "A", "G", rsid=f"rs{i}") for i in chosen]
    found = harmonize(make_weights(rows), variants, what="x")
    assert found.total["n_used"] == 100_000
