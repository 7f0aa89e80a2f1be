"""Count models of DNA: the bar that every neural perplexity must clear.

Both predict a base from how often each of A, C, G and T stood in the same contexts of the
training sequence, contexts of many lengths at once. The log counts of all contexts are added
up, each with a weight for how often it was seen there (a log-linear pool, which includes
backing off: a long context that is rare weighs little), and normalised. Weights come from
a sequence for validation, or from blocks of the training sequence that are not counted until
the weights are known. With long contexts the models also copy, which on repeats is hard to beat.
"""

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from jaxtyping import Bool, Float64, UInt8, UInt32
from scipy.optimize import minimize

from cisgram.benchmark.markov_kernels import (
    N_LEVELS,
    add_evidence,
    context_keys,
    count_dense,
    count_hashed,
    loss_and_gradient,
    read_dense,
    read_evidence,
    read_hashed,
)
from cisgram.core.checks import DataError, check_range
from cisgram.core.progress import Ticker, progress
from cisgram.genome.alphabet import N, reverse_complement

_MOST, _DEFAULT = 24, 20
_DENSE = 11
"""Bases of the longest context that has a count of its own for every spelling."""
_FEWEST_SLOTS, _MOST_SLOTS = 1 << 10, 1 << 26
_FILLED = 0.85
_PIECE = 1 << 16
"""Bases worked on at a time, and in a block that is held out."""
_EVERY = 8
"""One block of so many is held out for the weights."""
_SAMPLE = 1 << 18
_ROUNDS = 80
_FIRST_WEIGHT = 0.3

_ONE_SIDED = (2, 4, 6, 8, 10, 11, 12, 16, 20)
_LOPSIDED = ((5, 3), (7, 2), (7, 4), (8, 2), (9, 1))
_BOTH_SIDED = (0, 1, 2, 3, 4, 5, 6, 8, 12)


class _CountModel:
    """A mixture of tables of counts, of contexts that a subclass chooses."""

    def __init__(self, longest: int, mixture: "_Mixture") -> None:
        self._longest, self._mixture = longest, mixture

    def nll(self, tokens: UInt8[np.ndarray, "bases"]) -> Float64[np.ndarray, "bases"]:
        """Return the negative log-likelihood of each base, in nats; NaN at N.

        The perplexity of a sequence is the exponential of the mean.
        """
        return self._mixture.nll(tokens)

    def probabilities(self, tokens: UInt8[np.ndarray, "bases"]) -> Float64[np.ndarray, "bases 4"]:
        """Return the probabilities of A, C, G and T at each base, whatever stands there."""
        return self._mixture.probabilities(tokens)


class MarkovModel(_CountModel):
    """Predicts a base from the ones before it, up to `order` of them.

    >>> model = MarkovModel.fit([np.tile(np.uint8([0, 1, 2, 3]), 500)], 3)
    >>> float(model.nll(np.uint8([0, 1, 2, 3, 0, 1]))[-1]) < 0.1
    True
    """

    @property
    def order(self) -> int:
        """Bases of the longest context."""
        return self._longest

    @classmethod
    def fit(
        cls,
        contigs: Sequence[UInt8[np.ndarray, "_"]],
        order: int = _DEFAULT,
        *,
        validation: Sequence[UInt8[np.ndarray, "_"]] = (),
        both_strands: bool = True,
    ) -> Self:
        """Count the contexts of all lengths up to `order` (at most 24) and weigh them.

        Those of more than 12 bases go by fours.

        Args:
            contigs: tokens of the training sequence; contexts do not reach over N or ends.
            order: bases of the longest context.
            validation: tokens of a sequence that is not counted and gives the weights; without
                one, blocks of `contigs` do. Give one where `contigs` hold a sequence several
                times, as the genomes of several strains do: their blocks are then no news.
            both_strands: count the reverse complement of each contig too.

        Raises:
            ConfigError: `order` is out of range.
            DataError: the contigs hold no base but N.
        """
        check_range(order, "order", low=0, high=_MOST)
        lengths = sorted({*range(min(order, 12) + 1), *range(16, order + 1, 4), order})
        contexts = [(length, 0) for length in lengths]
        mixture = _Mixture.fit(
            contexts, contigs, validation, both_strands=both_strands, two_sided=False
        )
        return cls(order, mixture)


class FlankModel(_CountModel):
    """Predicts a base from up to `flank` bases on each side of it, as a masked model does.

    Contexts are both-sided, one-sided and in between. Both strands are counted, and a
    sequence and its reverse complement get the same numbers.

    >>> model = FlankModel.fit([np.tile(np.uint8([0, 1, 2, 3]), 500)], 2)
    >>> model.probabilities(np.uint8([0, 1, 4, 3, 0])).argmax(1)[2]
    np.int64(2)
    """

    @property
    def flank(self) -> int:
        """Bases on either side of the longest context."""
        return self._longest

    @classmethod
    def fit(
        cls,
        contigs: Sequence[UInt8[np.ndarray, "_"]],
        flank: int = _DEFAULT,
        *,
        validation: Sequence[UInt8[np.ndarray, "_"]] = (),
    ) -> Self:
        """Count contexts of up to `flank` bases a side (at most 24) and weigh them.

        The rest is as for `MarkovModel.fit`.
        """
        check_range(flank, "flank", low=0, high=_MOST)
        both = {(length, length) for length in (*_BOTH_SIDED, min(flank, 12))}
        one = {(length, 0) for length in (*_ONE_SIDED, flank)}
        contexts = sorted(pair for pair in both | one | {*_LOPSIDED} if pair[0] <= flank)
        mixture = _Mixture.fit(contexts, contigs, validation, both_strands=True, two_sided=True)
        return cls(flank, mixture)

    def copied(self, tokens: UInt8[np.ndarray, "bases"]) -> Bool[np.ndarray, "bases"]:
        """Say which bases follow or precede `flank` bases that the training sequence has too.

        At 20 bases chance is no reason any more: those are repeats, which copying predicts.
        """
        return self._mixture.seen(tokens, (self.flank, 0))


class _Strands:
    """A sequence and its reverse complement."""

    def __init__(self, tokens: UInt8[np.ndarray, "bases"]) -> None:
        # A copy, for compiled loops are compiled again for arrays that cannot be written to.
        self.forward = np.array(tokens, dtype=np.uint8)
        self.reverse = reverse_complement(self.forward)


class _Table:
    """How often each base was seen in the contexts of one shape."""

    def __init__(self, left: int, right: int, n_bases: int) -> None:
        """Make room for the contexts of `n_bases` bases."""
        self.left, self.right = left, right
        self._hashed = left + right > _DENSE
        if self._hashed:
            slots = 1 << int(n_bases / _FILLED).bit_length()
            slots = min(max(slots, _FEWEST_SLOTS), _MOST_SLOTS)
            self._counts = np.zeros(slots, dtype=np.uint32)
            self._room = int(_FILLED * slots)
        else:
            self._counts = np.zeros((4 ** (left + right), 4), dtype=np.uint32)

    def count(
        self, tokens: UInt8[np.ndarray, "bases"], targets: UInt8[np.ndarray, "bases"]
    ) -> None:
        """Count `targets`, which are `tokens` or N, in their contexts."""
        for start, end in _pieces(tokens.size):
            keys = context_keys(tokens, start, end, self.left, self.right)
            if self._hashed:
                self._room = count_hashed(self._counts, keys, targets[start:end], self._room)
            else:
                count_dense(self._counts, keys, targets[start:end])

    def read(
        self, tokens: UInt8[np.ndarray, "bases"], start: int, end: int
    ) -> UInt32[np.ndarray, "positions 4"]:
        """Return the counts of A, C, G and T in the contexts of bases from `start` to `end`."""
        counts = np.zeros((end - start, 4), dtype=np.uint32)
        keys = context_keys(tokens, start, end, self.left, self.right)
        (read_hashed if self._hashed else read_dense)(self._counts, keys, counts)
        return counts


class _Mixture:
    """Tables of counts and the weights under which their logarithms are added."""

    def __init__(self, tables: list[_Table], *, both_strands: bool, two_sided: bool) -> None:
        self._tables = tables
        self._both_strands, self._two_sided = both_strands, two_sided
        n_contexts = sum(self._n_views(table) for table in tables)
        first = _FIRST_WEIGHT / n_contexts**0.5
        self._weights = np.full((len(tables), N_LEVELS), first)

    @classmethod
    def fit(
        cls,
        contexts: Sequence[tuple[int, int]],
        contigs: Sequence[UInt8[np.ndarray, "_"]],
        validation: Sequence[UInt8[np.ndarray, "_"]],
        *,
        both_strands: bool,
        two_sided: bool,
    ) -> Self:
        """Count, and learn the weights on what is not counted, or not yet."""
        strands = _Strands(_joined(contigs))
        n_known = int(np.count_nonzero(strands.forward != N))
        if not n_known:
            raise DataError(
                "the training sequence holds no base but N; give contigs with known bases."
            )
        tables = [_Table(left, right, 2 * n_known) for left, right in contexts]
        mixture = cls(tables, both_strands=both_strands, two_sided=two_sided)
        with progress("counting contexts", (1 if validation else 2) * len(tables)) as ticker:
            if validation:
                mixture._count(strands, strands.forward, ticker)
                others = _Strands(_joined(validation))
                mixture._learn(others, others.forward)
            else:
                # Every eighth block; blocks are shorter where there would be few.
                n_bases = strands.forward.size
                block = min(max(n_bases // (8 * _EVERY), 1), _PIECE)
                held_out = np.arange(n_bases) // block % _EVERY == _EVERY // 2
                rest = np.where(held_out, np.uint8(N), strands.forward)
                blocks = np.where(held_out, strands.forward, np.uint8(N))
                mixture._count(strands, rest, ticker)
                mixture._learn(strands, blocks)
                mixture._count(strands, blocks, ticker)
        return mixture

    def _count(
        self, strands: _Strands, targets: UInt8[np.ndarray, "bases"], ticker: Ticker
    ) -> None:
        """Count `targets`, N being none, in the contexts that the strands give them."""
        for table in self._tables:
            table.count(strands.forward, targets)
            # A both-sided context on one strand is one on the other: `_views` reads both.
            if self._both_strands and not (self._two_sided and table.left == table.right):
                table.count(strands.reverse, reverse_complement(targets))
            ticker.advance()

    def nll(self, tokens: UInt8[np.ndarray, "bases"]) -> Float64[np.ndarray, "bases"]:
        nll = np.full(tokens.size, np.nan)
        for start, end, log_p in self._log_probabilities(tokens):
            known = np.flatnonzero(tokens[start:end] != N)
            nll[start + known] = -log_p[known, tokens[start + known]]
        return nll

    def probabilities(self, tokens: UInt8[np.ndarray, "bases"]) -> Float64[np.ndarray, "bases 4"]:
        p = np.empty((tokens.size, 4))
        for start, end, log_p in self._log_probabilities(tokens):
            p[start:end] = np.exp(log_p)
        return p

    def seen(
        self, tokens: UInt8[np.ndarray, "bases"], context: tuple[int, int]
    ) -> Bool[np.ndarray, "bases"]:
        """Say which bases stand in a context of this shape, or its mirror, that was counted."""
        strands = _Strands(tokens)
        table = next(table for table in self._tables if (table.left, table.right) == context)
        seen = np.zeros(tokens.size, dtype=np.bool_)
        for start, end in _pieces(tokens.size):
            for counts in self._views(table, strands, start, end):
                seen[start:end] |= counts.any(axis=1)
        return seen

    def _log_probabilities(
        self, tokens: UInt8[np.ndarray, "bases"]
    ) -> Iterator[tuple[int, int, Float64[np.ndarray, "positions 4"]]]:
        """Yield pieces of a sequence: where they start and end, and log p of their bases."""
        strands = _Strands(tokens)
        for start, end in _pieces(tokens.size):
            logits = np.zeros((end - start, 4))
            for table, weights in zip(self._tables, self._weights, strict=True):
                for counts in self._views(table, strands, start, end):
                    add_evidence(logits, counts, weights)
            logits -= logits.max(axis=1, keepdims=True)
            yield start, end, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def _n_views(self, table: _Table) -> int:
        return 2 if self._two_sided and table.left != table.right else 1

    def _views(
        self, table: _Table, strands: _Strands, start: int, end: int
    ) -> Iterator[UInt32[np.ndarray, "positions 4"]]:
        """Yield the counts of each context that a table tells of, two if it can be mirrored."""
        counts = table.read(strands.forward, start, end)
        if not self._two_sided:
            yield counts
            return
        size = strands.forward.size
        mirrored = table.read(strands.reverse, size - end, size - start)
        # Backwards, and A C G T for T G C A.
        mirrored = np.ascontiguousarray(mirrored[::-1, ::-1])
        if self._n_views(table) == 1:
            yield counts + mirrored
        else:
            yield counts
            yield mirrored

    def _learn(self, strands: _Strands, targets: UInt8[np.ndarray, "bases"]) -> None:
        """Maximise the likelihood of a sample of `targets`, N being none; the loss is convex."""
        sample = np.flatnonzero(targets != N)
        sample = sample[:: -(-sample.size // _SAMPLE) or 1]
        tables = np.repeat(
            np.arange(len(self._tables)), [self._n_views(table) for table in self._tables]
        )
        evidence = np.empty((sample.size, tables.size, 4), dtype=np.float32)
        levels = np.empty((sample.size, tables.size), dtype=np.uint8)
        for start, end in _pieces(strands.forward.size):
            first, last = np.searchsorted(sample, (start, end))
            if first == last:
                continue
            views = (
                view for table in self._tables for view in self._views(table, strands, start, end)
            )
            for column, counts in enumerate(views):
                rows = counts[sample[first:last] - start]
                read_evidence(evidence[first:last, column], levels[first:last, column], rows)
        bases = strands.forward[sample]
        prior = self._weights

        def loss(flat: Float64[np.ndarray, "weights"]) -> tuple[float, Float64[np.ndarray, "_"]]:
            weights = flat.reshape(prior.shape)
            gradient = np.empty_like(weights)
            total = loss_and_gradient(weights, evidence, levels, tables, bases, gradient)
            away = weights - prior
            total += float((away**2).sum())
            return total / scale, ((gradient + 2 * away) / scale).ravel()

        scale = max(sample.size, 1)
        found = minimize(
            loss, prior.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS}
        )
        self._weights = found.x.reshape(prior.shape)


def _joined(contigs: Sequence[UInt8[np.ndarray, "_"]]) -> UInt8[np.ndarray, "bases"]:
    """Put contigs one after the other with an N behind each."""
    gap = np.array([N], dtype=np.uint8)
    return np.concatenate([gap, *(part for contig in contigs for part in (contig, gap))])


def _pieces(n_bases: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n_bases, _PIECE):
        yield start, min(start + _PIECE, n_bases)
