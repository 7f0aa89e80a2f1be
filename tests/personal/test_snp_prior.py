"""Weights of SNPs: distance, tables of weights, and how many people are learnt from."""

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.gene_fit import GeneFitter
from cisgram.personal.snp_prior import (
    SnpPrior,
    read_weights,
    weigh_effects,
    weigh_elements,
    write_weights,
)

VARIANTS = pl.DataFrame(
    {"chrom": ["chr1"] * 3, "start": [9, 19, 19], "ref": list("AAA"), "alt": list("CGT")}
)
NAMES = ChromosomeNames(VARIANTS["chrom"].unique())


def test_size_falls_with_distance_and_rises_with_weight():
    prior = SnpPrior(np.array([0.0, 20_000, 20_000, 1e6]), np.array([1.0, 1, 2, 1]))
    np.testing.assert_allclose(prior.scaled(20_000), [1, np.exp(-1), 2 * np.exp(-1), 0])
    np.testing.assert_allclose(prior.at(np.array([2])).scaled(10_000), [2 * np.exp(-2)])


def read(tmp_path, text):
    (tmp_path / "prior.tsv").write_text("chrom\tpos\tref\talt\tweight\n" + text)
    return read_weights(tmp_path / "prior.tsv", VARIANTS, NAMES)


def test_weights_are_matched_by_position_and_alleles(tmp_path):
    """Positions count from 1, `1` is `chr1`, and variants that are not in the table weigh 1."""
    found = read(tmp_path, "1\t20\tA\tT\t4\nchr1\t10\tA\tC\t0.5\nchr9\t10\tA\tC\t7\n")
    assert found.tolist() == [0.5, 1, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t20\tA\tT\tmany\n", "is no table of chrom, pos, ref, alt"),
        ("1\t20\tA\tT\t0\n", "has weight 0.0 at position 20; weights are above 0"),
        ("1\t20\tA\tT\t1\nchr1\t20\tA\tT\t2\n", "two weights for a variant at chr1:20; keep one"),
        ("1\t20\tA\tC\t1\n", "has no variant of the cohort"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_a_prior_is_for_models_that_use_one():
    with pytest.raises(ConfigError, match="model elastic-net has no use for a prior"):
        FitConfig(model="elastic-net", prior="prior.tsv")


def test_fewer_people_are_drawn_within_the_training_people(cohort):
    whole = GeneFitter(cohort.path, FitConfig(n_inner_folds=2))
    fewer = GeneFitter(cohort.path, FitConfig(n_inner_folds=2, max_people=60))
    for all_of_them, some in zip(whole.splits, fewer.splits, strict=True):
        assert some.train.sum() == 60
        assert not (some.train & ~all_of_them.train).any()
        np.testing.assert_array_equal(some.test, all_of_them.test)


def test_variants_in_enough_regions_weigh_more(tmp_path):
    """Ends are outside: position 20, which BED calls 19, is not in 10-19."""
    bed = tmp_path / "peaks.bed"
    bed.write_text("1\t9\t10\n1\t5\t12\n1\t10\t19\n1\t19\t30\nchr9\t0\t99\n")
    assert weigh_elements(bed, VARIANTS, NAMES, times=8).tolist() == [8, 8, 8]
    assert weigh_elements(bed, VARIANTS, NAMES, at_least=2, times=8).tolist() == [8, 1, 1]
    with pytest.raises(DataError, match="no variant of the cohort is in 3 regions"):
        weigh_elements(bed, VARIANTS, NAMES, at_least=3)


def test_variants_weigh_by_the_largest_of_their_predicted_effects(tmp_path):
    table = tmp_path / "effects.tsv"
    table.write_text(
        "chrom\tpos\tref\talt\tgene\toutput\teffect\n"
        "1\t10\tA\tC\tG1\tx\t-3\n1\t10\tA\tC\tG2\tx\t1\n1\t20\tA\tT\tG1\tx\tNaN\n1\t20\tA\tG\tG1\tx\t1\n"
    )
    weights = weigh_effects(table, VARIANTS, NAMES)
    assert weights.tolist() == [1 + 3 / 2, 1 + 1 / 2, 1]
    write_weights(tmp_path / "prior.tsv", VARIANTS, weights)
    assert read_weights(tmp_path / "prior.tsv", VARIANTS, NAMES).tolist() == weights.tolist()
