from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.data.counts import exon_lengths, tpm
from cisgram.data.expression import ExpressionTable
from cisgram.genome.genes import Annotation, read_genes

EXONS = {
    # Two transcripts that share 101-200 and overlap in 301-450: 100 + 150 bases.
    "ENSG01.2": {"t1": [(101, 200), (301, 400)], "t2": [(101, 200), (351, 450)]},
    # One exon within another, and neighbours: 1,000 bases.
    "ENSG02.1": {"t3": [(1, 600), (601, 1000)], "t4": [(50, 60)]},
    "g3": {"t5": [(5, 504)]},
    "bare": {},
}


@pytest.fixture
def annotation(tmp_path: Path) -> Annotation:
    rows = []
    for gene, transcripts in EXONS.items():
        rows.append(("gene", 1, 2000, f'gene_id "{gene}";'))
        for name, exons in transcripts.items():
            text = f'gene_id "{gene}"; transcript_id "{name}";'
            rows += [("transcript", 1, 2000, text)]
            rows += [("exon", start, end, text) for start, end in exons]
    path = tmp_path / "genes.gtf"
    path.write_text("".join(f"1\tx\t{f}\t{s}\t{e}\t.\t+\t.\t{t}\n" for f, s, e, t in rows))
    return read_genes(path)


def _table(genes: list[str], counts: list[list[float]]) -> ExpressionTable:
    people = ("ann", "bob")[: len(counts[0])]
    return ExpressionTable(pl.DataFrame({"gene": genes}), people, np.array(counts))


def test_a_gene_is_as_long_as_all_its_exons_together(annotation):
    assert dict(exon_lengths(annotation).iter_rows()) == {
        "ENSG01.2": 250, "ENSG02.1": 1000, "g3": 500,
    }  # fmt: skip


def test_tpm_by_hand(annotation):
    table = _table(["g3", "ENSG01.7", "ENSG02"], [[10.0, 0.0], [5.0, 3.0], [20.0, np.nan]])
    # Reads per kilobase: 20, 20, 20 and 0, 12.
    third = 1e6 / 3
    expected = [[third, 0.0], [third, 1e6], [third, np.nan]]
    result = tpm(table, annotation)
    np.testing.assert_allclose(result.values, expected)
    assert result.people == table.people


def test_genes_without_exons_are_named(annotation):
    table = _table(["g3", "bare", "ENSG09.1"], [[1.0], [2.0], [3.0]])
    with pytest.raises(ConfigError, match=r"none of bare, ENSG09\.1; give the annotation"):
        tpm(table, annotation)


def test_impossible_counts_are_refused(annotation):
    table = _table(["g3", "ENSG01"], [[1.0, 0.0], [2.0, 0.0]])
    with pytest.raises(DataError, match="bob has no reads in any gene"):
        tpm(table, annotation)
    with pytest.raises(DataError, match="ann has a count below 0"):
        tpm(replace(table, values=-table.values), annotation)
