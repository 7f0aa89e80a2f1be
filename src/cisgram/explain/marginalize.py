"""What a word does to what models say of sequence, whatever else is there.

The word is put into many backgrounds, and the number that a model says of each is compared with
that of the background as it was: the mean difference is the word's global importance (Koo et al.
2021, doi:10.1371/journal.pcbi.1008925).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from cisgram.core.checks import ConfigError, DataError, check_range
from cisgram.core.metrics import Estimate, bootstrap_ci
from cisgram.explain.backgrounds import dinucleotide_shuffle
from cisgram.explain.motifs import Motif
from cisgram.explain.mutate import one_number
from cisgram.genome.alphabet import N, reverse_complement
from cisgram.models.base import Model
from cisgram.predict.reuse import Reduce, ReuseConfig, predict_sequences


@dataclass(frozen=True, kw_only=True, eq=False)
class WordEffect:
    """What a word does at one position of backgrounds."""

    position: int
    """First base of the word, 0-based, within the window."""
    effects: Float32[np.ndarray, "backgrounds"]
    """The model's number of each background with the word less that without; where the word was
    put in both ways round, the mean of both."""
    references: Float32[np.ndarray, "backgrounds"]
    """The model's number of each background without the word."""

    def mean(self, *, seed: int = 0) -> Estimate:
        """Return the mean effect, with a 95 % bootstrap interval over backgrounds.

        Raises:
            DataError: there is one background alone.
        """
        if len(self.effects) < 2:
            raise DataError("an interval needs two backgrounds or more; got one.")
        return bootstrap_ci(self.effects, seed=seed)


def marginalize(
    model: Model,
    word: Motif | UInt8[np.ndarray, "width"],
    backgrounds: UInt8[np.ndarray, "backgrounds length"],
    *,
    position: int,
    reduce: Reduce,
    both_strands: bool = False,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> WordEffect:
    """Put a word into backgrounds and see what a model says.

    Args:
        model: any model.
        word: tokens, of which N leaves the background's base; or a motif, for its `likeliest_word`.
        backgrounds: windows of one length, such as `shuffles` of sequences of interest.
        position: the word's first base, 0-based; the word takes the place of bases there.
        reduce: which number to look at: a model's output, (batch, ...), to (batch,).
        both_strands: put the word in as it reads and reverse complemented, each by itself.
        species: number that the model knows the genome by.
        config: how windows are predicted.

    Raises:
        ConfigError: there is no word or no background, the word reaches past the window, the
            window's length does not suit the model, or `reduce` makes more than one number.

    >>> from cisgram.models.cnn import DilatedCNN, DilatedCNNConfig
    >>> model = DilatedCNN(DilatedCNNConfig(channels=4, dilations=(2,)))
    >>> rng = np.random.default_rng(0)
    >>> backgrounds = shuffles(rng.integers(0, 4, (1, 60), dtype=np.uint8), n=5, rng=rng)
    >>> found = marginalize(
    ...     model,
    ...     Motif.from_consensus("TATA box", "TATAWAW"),
    ...     backgrounds,
    ...     position=20,
    ...     reduce=lambda output: output[:, 0],
    ... )
    >>> found.effects.shape, found.mean()._fields
    ((5,), ('value', 'low', 'high'))
    """
    (effect,) = distances(
        model,
        word,
        backgrounds,
        positions=[position],
        reduce=reduce,
        both_strands=both_strands,
        species=species,
        config=config,
    )
    return effect


def distances(
    model: Model,
    word: Motif | UInt8[np.ndarray, "width"],
    backgrounds: UInt8[np.ndarray, "backgrounds length"],
    *,
    positions: Sequence[int],
    reduce: Reduce,
    both_strands: bool = False,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> tuple[WordEffect, ...]:
    """Put a word into backgrounds at one position after another, as `marginalize` does at one.

    Every background and every piece of DNA that two positions share is read once. How far a
    position is from a landmark, such as the transcription start site, is its difference from it.

    Args:
        model: any model.
        word: tokens, of which N leaves the background's base; or a motif, for its `likeliest_word`.
        backgrounds: windows of one length, such as `shuffles` of sequences of interest.
        positions: of the word's first base, 0-based.
        reduce: which number to look at: a model's output, (batch, ...), to (batch,).
        both_strands: put the word in as it reads and reverse complemented, each by itself.
        species: number that the model knows the genome by.
        config: how windows are predicted.

    Returns:
        an effect for each of the positions, in their order.

    Raises:
        ConfigError: as `marginalize`; or there are no positions.
    """
    tokens = likeliest_word(word) if isinstance(word, Motif) else word
    if not tokens.size or not backgrounds.size or not len(positions):
        raise ConfigError("there must be a word, a background and a position; one has none.")
    for position in positions:
        if not 0 <= position <= backgrounds.shape[1] - len(tokens):
            raise ConfigError(
                f"a word of {len(tokens):,} bases must lie within the window of "
                f"{backgrounds.shape[1]:,}; at {position:,} it does not."
            )
    words = [tokens, reverse_complement(tokens)] if both_strands else [tokens]
    windows = np.stack(
        [backgrounds]
        + [put_in(own, backgrounds, position) for position in positions for own in words]
    )
    numbers = predict_sequences(
        model, windows, species=species, reduce=one_number(reduce), config=config
    ).values
    references = numbers[0]
    effects = (numbers[1:] - references).reshape(len(positions), len(words), -1).mean(axis=1)
    return tuple(
        WordEffect(position=position, effects=own, references=references)
        for position, own in zip(positions, effects, strict=True)
    )


def put_in(
    word: UInt8[np.ndarray, "width"],
    backgrounds: UInt8[np.ndarray, "backgrounds length"],
    position: int,
) -> UInt8[np.ndarray, "backgrounds length"]:
    """Return backgrounds with a word in the place of the bases there; its N change nothing.

    >>> put_in(np.array([1, 4, 1], np.uint8), np.full((1, 5), 3, np.uint8), 1).tolist()
    [[3, 1, 3, 1, 3]]
    """
    windows = backgrounds.copy()
    windows[:, position + np.flatnonzero(word < N)] = word[word < N]
    return windows


def likeliest_word(motif: Motif) -> UInt8[np.ndarray, "width"]:
    """Return the likeliest base of each position, N where all four are alike.

    Of two that are as likely, it is the first in the alphabet.

    >>> likeliest_word(Motif.from_consensus("Gcn4", "RTGANTCA")).tolist()
    [0, 3, 2, 0, 4, 3, 1, 0]
    """
    likeliest = motif.probabilities.argmax(axis=1).astype(np.uint8)
    alike = np.ptp(motif.probabilities, axis=1) < 1e-9
    return np.where(alike, np.uint8(N), likeliest)


def shuffles(
    sequences: UInt8[np.ndarray, "sequences length"], *, n: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "backgrounds length"]:
    """Return `n` sequences with the dinucleotides of each, as backgrounds to put words into.

    >>> sequences = np.array([[0, 1, 1, 0, 2, 0, 1, 3]], dtype=np.uint8)
    >>> shuffles(sequences, n=3, rng=np.random.default_rng(0)).shape
    (3, 8)
    """
    check_range(n, "n", low=1)
    if not sequences.size:
        raise ConfigError("there must be a sequence to shuffle; got none.")
    drawn = [dinucleotide_shuffle(sequence, rng) for sequence in sequences for _ in range(n)]
    return np.stack(drawn)
