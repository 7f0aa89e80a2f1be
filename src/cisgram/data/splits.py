"""Splits of people that keep relatives together and populations apart or balanced."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Int8
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cisgram.core.checks import ConfigError, check_range, check_unique, few
from cisgram.core.progress import progress
from cisgram.genome.genotypes import Genotypes, allele_frequency, missing_rate

_MIN_FREQUENCY = 0.05
_MAX_MISSING = 0.05
_APART = 10_000
_GENOME_BINS = 1 << 32
_MIN_SNPS = 500
_READ_SNPS = 500
_ROUNDS = 16
_BLOCK_PEOPLE = 500


@dataclass(frozen=True, eq=False)
class Relatives:
    """Pairs of people more closely related than a threshold."""

    n_snps: int
    """Autosomal common SNPs that kinship was estimated from."""
    threshold: float
    first: Int[np.ndarray, "pairs"]
    """Index of one of the pair, below `second`."""
    second: Int[np.ndarray, "pairs"]
    kinship: Float64[np.ndarray, "pairs"]
    """0.5 for duplicates and identical twins, 0.25 for first degree."""

    @property
    def estimated(self) -> bool:
        """Whether there were SNPs enough to estimate kinship."""
        return self.n_snps >= _MIN_SNPS


@dataclass(frozen=True, eq=False)
class PopulationSplit:
    """People to train on and people to test on, from different populations."""

    train: Bool[np.ndarray, "people"]
    test: Bool[np.ndarray, "people"]


def find_relatives(genotypes: Genotypes, *, threshold: float, max_snps: int = 5000) -> Relatives:
    """Estimate kinship between all people and return the pairs above a threshold.

    KING-robust for pairs across families (Manichaikul et al. 2010, equation 11),
    from at most `max_snps` autosomal SNPs, one in each 10,000 bases, with MAF of at
    least 5% and at most 5% of calls missing. Memory is `max_snps` bytes a person
    and a few numbers for each pair of everybody with 500 people.

    With fewer than 500 such SNPs nothing is estimated and no pair is returned:
    the estimate is only as precise as the independent SNPs are many. One
    chromosome seldom accuses strangers: of the pairs of 358 Geuvadis people, 2,998
    SNPs of chromosome 22 put six above 0.125 and none above 0.17, and so none reaches
    first degree (0.177). It is too little to find every pair of siblings, who may
    share none of it.
    """
    check_range(threshold, "kinship threshold", low=0.0, high=0.5)
    calls = _thinned_calls(genotypes, max_snps)
    n_snps = calls.shape[1]
    if n_snps < _MIN_SNPS:
        nobody = np.empty(0, dtype=np.int64)
        return Relatives(n_snps, threshold, nobody, nobody, np.empty(0))
    pairs = [np.empty((2, 0), dtype=np.int64)]
    values = [np.empty(0)]
    with progress("estimating kinship (people)", len(calls)) as ticker:
        for start in range(0, len(calls), _BLOCK_PEOPLE):
            block = king_kinship(calls[start : start + _BLOCK_PEOPLE], calls[start:])
            row, column = np.nonzero(np.triu(block >= threshold, k=1))
            pairs.append(np.stack([row, column]) + start)
            values.append(block[row, column].astype(np.float64))
            ticker.advance(len(block))
    first, second = np.concatenate(pairs, axis=1)
    return Relatives(n_snps, threshold, first, second, np.concatenate(values))


def king_kinship(
    some: Int8[np.ndarray, "some snps"], others: Int8[np.ndarray, "others snps"]
) -> Float32[np.ndarray, "some others"]:
    """Return the KING-robust kinship of every pair, from allele counts 0, 1, 2 or -1.

    One half less a quarter of the summed squared differences over the smaller
    number of heterozygous sites of the two, over sites called in both; -inf
    where that person has no heterozygous site.

    >>> calls = np.array([[0, 1, 2, 1], [0, 1, 2, 1], [2, 1, 0, 0]], dtype=np.int8)
    >>> king_kinship(calls[:1], calls)
    array([[ 0.5 ,  0.5 , -1.75]], dtype=float32)
    """
    complete = (some.min(axis=0) >= 0) & (others.min(axis=0) >= 0)
    shape = (len(some), len(others))
    hets_some, hets_others, distance = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    for a, b in _snp_blocks(some, others, np.flatnonzero(complete)):
        hets_some += (a == 1).sum(axis=1)[:, np.newaxis]
        hets_others += (b == 1).sum(axis=1)
        distance += np.add.outer((a**2).sum(axis=1), (b**2).sum(axis=1)) - 2 * (a @ b.T)
    for a, b in _snp_blocks(some, others, np.flatnonzero(~complete)):
        called_a, called_b = ((x >= 0).astype(np.float32) for x in (a, b))
        het_a, het_b = ((x == 1).astype(np.float32) for x in (a, b))
        a, b = a * called_a, b * called_b
        distance += a**2 @ called_b.T + called_a @ (b**2).T - 2 * (a @ b.T)
        hets_some += het_a @ called_b.T
        hets_others += called_a @ het_b.T
    fewest = np.minimum(hets_some, hets_others)
    with np.errstate(divide="ignore", invalid="ignore"):
        kinship = 0.5 - distance / (4 * fewest)
    return np.where(fewest > 0, kinship, -np.inf).astype(np.float32)


def _snp_blocks(
    some: Int8[np.ndarray, "some snps"],
    others: Int8[np.ndarray, "others snps"],
    columns: Int[np.ndarray, "columns"],
) -> Iterator[tuple[Float32[np.ndarray, "some block"], Float32[np.ndarray, "others block"]]]:
    """Yield a few columns of both at a time, as numbers that multiply fast."""
    for start in range(0, columns.size, _READ_SNPS):
        block = columns[start : start + _READ_SNPS]
        yield some[:, block].astype(np.float32), others[:, block].astype(np.float32)


def families(relatives: Relatives, n_people: int) -> Int[np.ndarray, "people"]:
    """Number the groups of people linked by any chain of relatives, from 0.

    >>> pair = Relatives(9, 0.2, np.array([0]), np.array([2]), np.array([0.25]))
    >>> families(pair, 4)
    array([0, 1, 0, 2])
    """
    links = (np.ones(len(relatives.first), bool), (relatives.first, relatives.second))
    linked = coo_array(links, shape=(n_people, n_people))
    return connected_components(linked, directed=False)[1].astype(np.int64)


def person_folds(
    people: Sequence[str],
    families: Int[np.ndarray, "people"],
    *,
    n_folds: int,
    seed: int,
    populations: Sequence[str] | None = None,
) -> Int8[np.ndarray, "people"]:
    """Give every person a fold, 0 to `n_folds` - 1; families are never cut.

    Each population, and then everybody, is shared out evenly, the largest
    families first. The fold of a person depends on the seed and on who else is
    there, not on their order.

    >>> person_folds(["a", "b", "c", "d"], np.array([0, 0, 1, 2]), n_folds=2, seed=1)
    array([0, 0, 1, 1], dtype=int8)
    """
    check_unique(people, "person", "the list of people")
    groups: dict[int, list[int]] = {}
    for person, family in enumerate(families.tolist()):
        groups.setdefault(family, []).append(person)
    check_range(n_folds, "n_folds", low=2, high=127)
    if len(groups) < n_folds:
        raise ConfigError(
            f"n_folds must be at most the {len(groups)} groups of unrelated people; got {n_folds}."
        )
    labels = list(populations) if populations is not None else [""] * len(people)
    codes = np.unique(labels, return_inverse=True)[1]
    counts = np.zeros((codes.max() + 1, n_folds), dtype=np.int64)
    folds = np.empty(len(people), dtype=np.int8)

    def order(group: list[int]) -> tuple[int, str, str]:
        name = min(people[i] for i in group)
        shuffled = hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
        return -len(group), min(labels[i] for i in group), shuffled

    for group in sorted(groups.values(), key=order):
        same = counts[codes[group]].sum(axis=0)
        fold = int(np.lexsort((counts.sum(axis=0), same))[0])
        folds[group] = fold
        counts[:, fold] += np.bincount(codes[group], minlength=len(counts))
    return folds


def population_split(
    populations: Sequence[str], *, train: Collection[str], test: Collection[str]
) -> PopulationSplit:
    """Train on some populations and test on others.

    >>> population_split(["FIN", "TSI", "GBR"], train=["TSI"], test=["FIN"]).test
    array([ True, False, False])

    Raises:
        ConfigError: a population nobody belongs to, or one on both sides.
    """
    present = sorted(set(populations) - {""})
    unknown = sorted({*train, *test} - set(present))
    if unknown:
        raise ConfigError(
            f"nobody belongs to population {few(unknown)}; there are {few(present, 30)}."
        )
    if both := sorted(set(train) & set(test)):
        raise ConfigError(f"{few(both)} cannot be trained on and tested on; leave one side.")
    if not train or not test:
        raise ConfigError("name at least one population to train on and one to test on.")
    labels = np.array(populations)
    return PopulationSplit(np.isin(labels, list(train)), np.isin(labels, list(test)))


def check_disjoint(
    train: Bool[np.ndarray, "people"],
    test: Bool[np.ndarray, "people"],
    families: Int[np.ndarray, "people"],
) -> None:
    """Refuse a split in which a person or a family is on both sides."""
    if not train.any() or not test.any():
        raise ConfigError("both the training and the test side need people; check the split.")
    if n_both := int((train & test).sum()):
        raise ConfigError(f"{n_both} people are trained on and tested on; separate them.")
    if n_cut := np.intersect1d(families[train], families[test]).size:
        raise ConfigError(
            f"{n_cut} families have members on both sides; use person_folds, or move them."
        )


def _thinned_calls(genotypes: Genotypes, max_snps: int) -> Int8[np.ndarray, "people snps"]:
    """Read allele counts of common autosomal SNPs, one a bin and evenly spread; -1 missing.

    A round tries no more SNPs than are still wanted. Where most are rare, further
    rounds try others, in the bins without any, until half of those wanted are found.
    """
    rows, bins = _candidates(genotypes)
    taken = np.zeros(bins.max(initial=-1) + 1, dtype=np.bool_)
    untried = np.ones(rows.size, dtype=np.bool_)
    calls = np.empty((len(genotypes.people), max_snps), dtype=np.int8)
    n_found = 0
    for _ in range(_ROUNDS):
        left = np.flatnonzero(untried)
        n = min(left.size, max_snps - n_found)
        chosen = left[np.linspace(0, left.size - 1, n).astype(np.int64)]
        for start in range(0, n, _READ_SNPS):
            some = chosen[start : start + _READ_SNPS]
            counts, common = _counts(genotypes, rows[some])
            useful = np.flatnonzero(common & ~taken[bins[some]])
            new, first = np.unique(bins[some[useful]], return_index=True)
            calls[:, n_found : n_found + new.size] = counts[:, useful[first]]
            taken[new] = True
            n_found += new.size
        if n_found >= max_snps // 2:
            break
        untried[chosen] = False
        untried &= ~taken[bins]
    return calls[:, :n_found]


def _candidates(
    genotypes: Genotypes,
) -> tuple[Int[np.ndarray, "rows"], Int[np.ndarray, "rows"]]:
    """Return the rows of autosomal SNPs, and the number of the 10,000 bases each lies in."""
    variants, autosomes = genotypes.variants, genotypes.names.autosomes
    is_snp = (variants["ref"].str.len_bytes() == 1) & (variants["alt"].str.len_bytes() == 1)
    rows = np.flatnonzero((is_snp & variants["chrom"].is_in(autosomes)).to_numpy())
    chromosome = variants["chrom"].rank("dense").to_numpy().astype(np.int64)
    place = chromosome * _GENOME_BINS + variants["start"].to_numpy() // _APART
    return rows, np.unique(place[rows], return_inverse=True)[1]


def _counts(
    genotypes: Genotypes, rows: Int[np.ndarray, "rows"]
) -> tuple[Int8[np.ndarray, "people rows"], Bool[np.ndarray, "rows"]]:
    """Read the allele counts of those rows, and say which are common and seldom missing."""
    dosages = genotypes.dosages(rows)
    frequency = allele_frequency(dosages)
    common = (np.minimum(frequency, 1 - frequency) >= _MIN_FREQUENCY) & (
        missing_rate(dosages) <= _MAX_MISSING
    )
    return np.nan_to_num(np.rint(dosages), nan=-1).astype(np.int8), common
