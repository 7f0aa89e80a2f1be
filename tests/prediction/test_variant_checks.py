"""What a VCF or a set of genes may hold besides what can be scored."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import DataError
from cisgram.genome.alphabet import decode
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.prediction.predict import predict_genes, predict_genes_resumably
from cisgram.prediction.session import Session
from cisgram.prediction.variants import VariantConfig, VariantEffects, score_variants
from prediction.toy_session import GENES, gene_model, session, write_genome

HEADER = "##fileformat=VCFv4.2\n##contig=<ID=c0>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
FAR = 1_500
BEYOND = Interval("c2", 90, 130, "+")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Session:
    place = tmp_path_factory.mktemp("checks")
    write_genome(place)
    name, contig, *others = (place / "toy.fa").read_text().split("\n")
    hidden = contig[:FAR] + "N" * 10 + contig[FAR + 10 :]
    (place / "toy.fa").write_text("\n".join([name, hidden, *others]))
    shutil.rmtree(place / "reference")
    Reference.from_fasta(place / "toy.fa", place / "reference")
    return session(gene_model(), place)


def bases(toy: Session, start: int, end: int) -> str:
    return decode(toy.reference.contig("c0")[start:end])


def other(base: str) -> str:
    return "A" if base != "A" else "C"


def score(
    toy: Session, place: Path, *rows: tuple[int, str, str], skip_bad: bool = False
) -> VariantEffects:
    """Score alleles that start so many bases from the contig's first."""
    lines = (f"c0\t{start + 1}\t.\t{ref}\t{alt}\t.\t.\t.\n" for start, ref, alt in rows)
    (place / "some.vcf").write_text(HEADER + "".join(lines))
    return score_variants(toy, place / "some.vcf", config=VariantConfig(skip_bad=skip_bad))


def test_alleles_that_name_no_other_sequence_are_counted(toy: Session, tmp_path: Path) -> None:
    base = bases(toy, 590, 591)
    alts = ["R", "N", base, "*", ".", "<DEL>", other(base)]
    found = score(toy, tmp_path, *((590, base, alt) for alt in alts))
    assert found.variants["alt"].to_list() == [other(base)]
    assert (found.n_symbolic, found.n_unknown, found.n_bad) == (6, 0, 0)


def test_alleles_where_the_genome_has_n_are_counted(toy: Session, tmp_path: Path) -> None:
    long = bases(toy, FAR - 20, FAR + 20)
    rows = [(FAR - 20, long, long[0]), (FAR, "A", "C"), (FAR + 5, "N", "C")]
    found = score(toy, tmp_path, *rows)
    assert found.variants["ref"].to_list() == [long]
    assert (found.n_symbolic, found.n_unknown, found.n_bad) == (0, 2, 0)


def test_one_wrong_ref_is_named_or_skipped(toy: Session, tmp_path: Path) -> None:
    rows = [(at, base, other(base)) for at in range(560, 640) if (base := bases(toy, at, at + 1))]
    clean = score(toy, tmp_path, *rows)
    at, base, alt = rows[50]
    wrong = next(letter for letter in "ACGT" if letter not in (base, alt))
    spoilt = [*rows[:50], (at, wrong, alt), *rows[51:]]
    message = rf"^1 of 80 .* \(c0:611 {wrong}>{alt}, where it has {base}\).* with --skip-bad\.$"
    with pytest.raises(DataError, match=message):
        score(toy, tmp_path, *spoilt)
    found = score(toy, tmp_path, *spoilt, skip_bad=True)
    assert (found.variants.height, found.n_bad) == (79, 1)
    kept = clean.pairs[:, 0] != 50
    np.testing.assert_allclose(found.effects, clean.effects[kept], rtol=1e-5, atol=1e-6)
    swapped = [*rows[:50], (at, alt, base), *rows[51:]]
    with pytest.raises(DataError, match=r"REF and ALT exchanged .*\(c0:611 .* with --skip-bad"):
        score(toy, tmp_path, *swapped)
    assert score(toy, tmp_path, *swapped, skip_bad=True).n_bad == 1


@pytest.mark.parametrize(
    ("start", "end", "lost"),
    [(590, 650, {"left"}), (599, 640, {"left"}), (600, 640, set()), (599, 639, set())],
)
def test_a_gene_that_is_deleted_whole_has_no_effect(
    start: int, end: int, lost: set[str], toy: Session, tmp_path: Path
) -> None:
    """The first base of REF stays: of the body from 600 to 640 too, where it starts there."""
    ref = bases(toy, start, end)
    found = score(toy, tmp_path, (start, ref, ref[0]))
    table = found.table.group_by("gene").agg(nan=pl.col("effect").is_nan().all())
    assert set(table.filter("nan")["gene"]) == lost
    assert not table.filter(~pl.col("nan"))["gene"].is_empty()
    assert dict(found.remarks.deleted) == dict.fromkeys(lost, 1)


def test_a_gene_past_the_end_of_its_contig_has_no_values(toy: Session, tmp_path: Path) -> None:
    genes = {"left": GENES["left"], "circular": BEYOND, "far": GENES["far"]}
    whole = predict_genes(toy, GENES)
    found = predict_genes(toy, genes)
    assert found.rows["gene"].to_list() == list(genes)
    assert np.isnan(found.values[1]).all()
    np.testing.assert_allclose(found.values[[0, 2]], whole.values[[0, 3]], rtol=1e-5)
    with predict_genes_resumably(toy, genes, out=tmp_path / "genes.tsv") as resumed:
        np.testing.assert_array_equal(resumed.values, found.values)
        assert resumed.rows.equals(found.rows)
    with pytest.raises(DataError, match="every gene reaches past the end of its contig"):
        predict_genes(toy, {"circular": BEYOND})


def test_effects_on_a_gene_past_the_end_or_without_strand(toy: Session) -> None:
    base = decode(toy.reference.contig("c2")[95:96])
    row = {"chrom": "c2", "start": 95, "ref": base, "alt": other(base)}
    genes = {"circular": BEYOND, "plain": Interval("c2", 40, 60, ".")}
    found = score_variants(toy, pl.DataFrame([row]), genes=genes)
    assert np.isnan(found.effects).all(axis=1).tolist() == [True, False]
    assert (dict(found.remarks.beyond), dict(found.remarks.strandless)) == (
        {"circular": 1},
        {"plain": 1},
    )
    forward = genes | {"plain": Interval("c2", 40, 60, "+")}
    np.testing.assert_allclose(
        score_variants(toy, pl.DataFrame([row]), genes=forward).effects[1], found.effects[1]
    )
