import tracemalloc
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError
from cisgram.data.splits import (
    Relatives,
    check_disjoint,
    families,
    find_relatives,
    king_kinship,
    person_folds,
    population_split,
)
from cisgram.genome.chromosomes import ChromosomeNames

N_CHROMOSOMES, SNPS_EACH = 20, 150


@dataclass(frozen=True)
class _Calls:
    """What kinship asks of genotypes, from an array in memory."""

    people: tuple[str, ...]
    variants: pl.DataFrame
    names: ChromosomeNames
    table: np.ndarray

    def dosages(self, rows, people=None):
        del people
        values = self.table[:, rows].astype(np.float32)
        values[values < 0] = np.nan
        return values


AUTOSOMES = tuple(str(1 + i) for i in range(N_CHROMOSOMES))


def _genotypes(table, *, chromosomes=AUTOSOMES, apart=20_000):
    n = table.shape[1]
    each = n // len(chromosomes)
    chrom = [chromosomes[i // each] for i in range(n)]
    variants = pl.DataFrame(
        {"chrom": chrom, "start": [apart * (i % each) for i in range(n)]}
    ).with_columns(end=pl.col("start") + 1, id=pl.lit("."), ref=pl.lit("A"), alt=pl.lit("G"))
    people = tuple(f"p{i:03}" for i in range(len(table)))
    return _Calls(people, variants, ChromosomeNames(dict.fromkeys(chrom)), table)


def _founders(rng, n):
    """Draw haplotypes (people, 2, snps) of unrelated people."""
    frequency = rng.uniform(0.15, 0.85, size=N_CHROMOSOMES * SNPS_EACH)
    return (rng.random((n, 2, frequency.size)) < frequency).astype(np.int8)


def _gamete(rng, parent):
    """Pass on one haplotype, with one crossover on each chromosome."""
    pieces = []
    for chromosome in np.split(parent, N_CHROMOSOMES, axis=1):
        first, at = rng.integers(2), rng.integers(SNPS_EACH)
        pieces.append(np.concatenate([chromosome[first, :at], chromosome[1 - first, at:]]))
    return np.concatenate(pieces)


def _child(rng, mother, father):
    return np.stack([_gamete(rng, mother), _gamete(rng, father)])


@pytest.fixture
def pedigree(rng):
    """Thirty founders; then a child of 0 and 1, its sibling, a cousin by 2, a twin of 5."""
    founders = _founders(rng, 30)
    one, two = (_child(rng, founders[0], founders[1]) for _ in range(2))
    grandchild = _child(rng, one, founders[2])
    niece = _child(rng, two, founders[3])
    return np.concatenate([founders, np.stack([one, two, grandchild, niece, founders[5]])])


def test_kinship_of_a_simulated_pedigree(pedigree):
    calls = pedigree.sum(axis=1).astype(np.int8)
    kinship = king_kinship(calls, calls)
    np.testing.assert_allclose(kinship, kinship.T, atol=1e-6)
    child, sibling, grandchild, niece, twin = range(30, 35)
    assert kinship[5, twin] == pytest.approx(0.5)
    for first, second in ((0, child), (1, sibling), (child, sibling), (child, grandchild)):
        assert kinship[first, second] == pytest.approx(0.25, abs=0.06)
    for first, second in ((sibling, grandchild), (0, grandchild), (child, niece)):
        assert kinship[first, second] == pytest.approx(0.125, abs=0.06)
    assert kinship[grandchild, niece] == pytest.approx(0.0625, abs=0.06)
    strangers = kinship[:30, :30][np.triu_indices(30, 1)]
    assert strangers.mean() == pytest.approx(0, abs=0.01)
    assert np.abs(strangers).max() < 0.08


def test_kinship_is_the_published_formula_site_by_site(rng):
    calls = rng.integers(-1, 3, size=(6, 400)).astype(np.int8)
    kinship = king_kinship(calls, calls)
    for i in range(6):
        for j in range(6):
            both = (calls[i] >= 0) & (calls[j] >= 0)
            a, b = calls[i, both], calls[j, both]
            het_het = ((a == 1) & (b == 1)).sum()
            opposite = (np.abs(a - b) == 2).sum()
            hets = sorted([(a == 1).sum(), (b == 1).sum()])
            expected = (het_het - 2 * opposite) / (2 * hets[0]) + 0.5 - sum(hets) / (4 * hets[0])
            assert kinship[i, j] == pytest.approx(expected, abs=1e-5)


def test_relatives_become_families(pedigree, monkeypatch):
    monkeypatch.setattr("cisgram.data.splits._BLOCK_PEOPLE", 10)
    calls = pedigree.sum(axis=1).astype(np.int8)
    calls[np.random.default_rng(0).random(calls.shape) < 0.01] = -1
    relatives = find_relatives(_genotypes(calls), threshold=0.177)
    pairs = set(zip(relatives.first.tolist(), relatives.second.tolist(), strict=True))
    assert pairs == {
        (0, 30), (1, 30), (0, 31), (1, 31), (30, 31), (30, 32), (2, 32), (31, 33), (3, 33), (5, 34),
    }  # fmt: skip
    groups = families(relatives, len(calls))
    assert len({groups[i] for i in (0, 1, 2, 3, 30, 31, 32, 33)}) == 1
    assert groups[5] == groups[34] != groups[0]
    assert groups.max() == len(calls) - 8 - 1


def test_rare_and_missing_snps_do_not_count(pedigree):
    calls = pedigree.sum(axis=1).astype(np.int8)
    spoiled = calls.copy()
    spoiled[:, ::3] = 0
    spoiled[:, 1::3][:5] = -1
    assert find_relatives(_genotypes(spoiled), threshold=0.177).n_snps <= calls.shape[1] // 3


@pytest.mark.parametrize(
    ("chromosome", "counts"),
    [
        *((name, False) for name in ("X", "chrX", "23", "chr24", "25", "26", "MT", "chrM", "PAR1")),
        *((name, False) for name in ("NC_000023.11", "NC_000024.9", "NC_012920.1")),
        *((name, True) for name in ("22", "chr22", "NC_000022.11")),
    ],
)
def test_only_autosomes_count(rng, chromosome, counts):
    calls = rng.integers(0, 3, size=(50, 1200)).astype(np.int8)
    genotypes = _genotypes(calls, chromosomes=("1", chromosome))
    assert find_relatives(genotypes, threshold=0.3).n_snps == (1200 if counts else 600)


def test_chromosome_23_of_an_animal_with_more_is_an_autosome(rng):
    calls = rng.integers(0, 3, size=(50, 1200)).astype(np.int8)
    cattle = _genotypes(calls, chromosomes=("22", "23", "24", "26", "28", "29"))
    assert find_relatives(cattle, threshold=0.3).n_snps == 1200


def test_where_most_snps_are_rare_more_are_tried(pedigree):
    calls = pedigree.sum(axis=1).astype(np.int8)
    calls[:, np.arange(calls.shape[1]) % 10 > 0] = 0
    few = find_relatives(_genotypes(calls, apart=1000), threshold=0.3, max_snps=600)
    assert few.n_snps == calls.shape[1] // 10


def test_dense_snps_are_thinned_as_they_are_read(rng):
    calls = rng.integers(0, 3, size=(400, 50_000)).astype(np.int8)
    tracemalloc.start()
    find_relatives(_genotypes(calls, chromosomes=("1",), apart=50), threshold=0.3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * (5000 + 10 * 4 * 500)


def test_a_short_region_is_not_judged(pedigree):
    calls = pedigree.sum(axis=1).astype(np.int8)
    relatives = find_relatives(_genotypes(calls, apart=200), threshold=0.177)
    assert relatives.n_snps == N_CHROMOSOMES * 3
    assert not relatives.estimated
    assert relatives.kinship.size == 0


def test_snps_are_thinned_evenly(pedigree):
    calls = pedigree.sum(axis=1).astype(np.int8)
    assert 650 < find_relatives(_genotypes(calls), threshold=0.3, max_snps=700).n_snps <= 700


@pytest.mark.slow
def test_chromosome_22_accuses_nobody_at_first_degree(geuvadis, tmp_path):
    from cisgram.genome.genotypes import Genotypes, import_genotypes

    people, _ = import_genotypes(geuvadis.genotypes, tmp_path)
    relatives = find_relatives(Genotypes.open(tmp_path, people), threshold=0.125)
    assert (relatives.n_snps, relatives.kinship.size) == (2998, 6)
    assert relatives.kinship.max() < 0.17


@st.composite
def _people(draw):
    n = draw(st.integers(12, 60))
    sizes = draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    family = np.repeat(np.arange(n), sizes)[:n]
    label = draw(st.lists(st.sampled_from(["FIN", "TSI", ""]), min_size=n, max_size=n))
    return [f"p{i}" for i in range(n)], family, label, draw(st.integers(0, 99))


@settings(deadline=None, max_examples=60)
@given(_people(), st.randoms())
def test_folds_keep_families_whole_and_do_not_depend_on_order(drawn, shuffler):
    people, family, labels, seed = drawn
    if len(set(family.tolist())) < 4:
        return
    folds = person_folds(people, family, n_folds=4, seed=seed, populations=labels)
    for group in set(family.tolist()):
        assert len(set(folds[family == group])) == 1
    assert set(folds) == set(range(4))
    order = list(range(len(people)))
    shuffler.shuffle(order)
    again = person_folds(
        [people[i] for i in order], family[order], n_folds=4, seed=seed,
        populations=[labels[i] for i in order],
    )  # fmt: skip
    np.testing.assert_array_equal(again, folds[order])


def test_folds_are_balanced_within_populations():
    people = [f"p{i}" for i in range(358)]
    labels = np.repeat(["CEU", "FIN", "GBR", "TSI"], [89, 92, 86, 91])
    folds = person_folds(people, np.arange(358), n_folds=5, seed=3, populations=labels.tolist())
    for label in np.unique(labels):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    counts = np.bincount(folds)
    assert counts.max() - counts.min() <= 1
    other = person_folds(people, np.arange(358), n_folds=5, seed=4, populations=labels.tolist())
    assert (other != folds).mean() > 0.5


def test_one_big_family_leaves_the_other_folds_to_the_rest():
    family = np.array([0] * 30 + list(range(1, 31)))
    folds = person_folds([str(i) for i in range(60)], family, n_folds=3, seed=0)
    assert sorted(np.bincount(folds).tolist()) == [15, 15, 30]


def test_folds_need_as_many_families():
    with pytest.raises(ConfigError, match="at most the 2 groups of unrelated people; got 3"):
        person_folds(["a", "b", "c"], np.array([0, 0, 1]), n_folds=3, seed=0)


def test_populations_split():
    split = population_split(["FIN", "TSI", "", "GBR"], train=["TSI", "GBR"], test=["FIN"])
    assert split.train.tolist() == [False, True, False, True]
    assert split.test.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (["YRI"], ["FIN"], "nobody belongs to population YRI; there are FIN, TSI"),
        (["FIN", "TSI"], ["FIN"], "FIN cannot be trained on and tested on"),
        ([], ["FIN"], "at least one population"),
    ],
)
def test_bad_population_splits_are_named(train, test, message):
    with pytest.raises(ConfigError, match=message):
        population_split(["FIN", "TSI", ""], train=train, test=test)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([1, 1, 0, 0], [0, 1, 1, 0], "1 people are trained on and tested on"),
        ([1, 0, 1, 0], [0, 1, 0, 1], "1 families have members on both sides"),
        ([1, 1, 0, 0], [0, 0, 0, 0], "need people"),
    ],
)
def test_leaks_are_refused(train, test, message):
    masks = (np.array(side, dtype=bool) for side in (train, test))
    with pytest.raises(ConfigError, match=message):
        check_disjoint(*masks, np.array([0, 0, 1, 2]))


def test_a_clean_split_passes():
    check_disjoint(
        np.array([True, True, False]), np.array([False, False, True]), np.array([0, 0, 1])
    )


def test_chains_of_relatives_are_one_family():
    chain = Relatives(999, 0.1, np.array([3, 0, 1]), np.array([4, 1, 3]), np.array([0.2, 0.2, 0.2]))
    assert families(chain, 6).tolist() == [0, 0, 1, 0, 0, 2]
