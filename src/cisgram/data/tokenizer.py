"""DNA as tokens of a vocabulary: single bases, k-mers, or byte pairs learned from DNA.

In every vocabulary the first ids are the special ones, then A C G T N, then longer words. N is
always a token of its own, so a word never holds an unknown base.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
from jaxtyping import Int64, UInt8

from cisgram.core.artifact import damage_errors, write_json
from cisgram.core.checks import (
    ConfigError,
    DataError,
    check_choice,
    check_range,
    missing_extra,
    read_text,
)
from cisgram.core.config import from_plain, to_plain
from cisgram.genome import alphabet
from cisgram.genome.alphabet import LETTERS, N

Ids = Int64[np.ndarray, "tokens"]
Bases = UInt8[np.ndarray, "bases"]
"""A C G T N = 0 1 2 3 4."""


class Special(IntEnum):
    """Ids that stand for no base."""

    PAD = 0
    """Fills up windows of fewer tokens than others of their batch."""
    MASK = 1
    """A masked token."""
    CLS = 2
    """Before a window."""
    SEP = 3
    """After a window."""


FIRST_LETTER = len(Special)
"""Id of A; those of C, G, T and N follow."""
FIRST_WORD = FIRST_LETTER + len(LETTERS)
"""Id of the first token of more than one base."""
_FORMAT, _VERSION = "cisgram tokenizer", 1


class Encoded(NamedTuple):
    """Tokens of a sequence and the bases they cover."""

    ids: Ids
    spans: Int64[np.ndarray, "tokens 2"]
    """First base and the one after the last, 0-based."""


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """How sequences are cut into tokens."""

    kind: Literal["base", "kmer", "bpe"] = "base"
    """Single bases, k-mers, or byte pairs learned by `train_bpe`."""
    k: int = 6
    """Bases of a k-mer."""
    stride: int | None = None
    """Bases from one k-mer to the next; `k`, so that none overlap, by default."""
    merges: tuple[str, ...] = ()
    """Byte pairs in the order they were learned, such as `AC GT`."""
    file: Path | None = None
    """A file of `save_tokenizer` to take the merges from; they are kept and the path is not."""

    def __post_init__(self) -> None:
        check_choice(self.kind, ("base", "kmer", "bpe"), "kind of the tokenizer")
        check_range(self.k, "k", low=2, high=8)
        if self.stride is not None:
            check_range(self.stride, "stride", low=1, high=self.k)
        if self.file is not None:
            object.__setattr__(self, "merges", _read(self.file).merges)
            object.__setattr__(self, "file", None)
        object.__setattr__(self, "merges", tuple(self.merges))
        if (self.kind == "bpe") != bool(self.merges):
            raise ConfigError(
                "a tokenizer needs merges, or their file, if its kind is bpe and only then; "
                f"got {self.kind} with {len(self.merges):,}."
            )
        _words(self.merges)

    @property
    def overlaps(self) -> bool:
        """Whether neighbouring tokens share bases."""
        return self.kind == "kmer" and self.stride is not None and self.stride < self.k


class Tokenizer(Protocol):
    """Cuts sequences into tokens and puts them together again."""

    config: TokenizerConfig
    vocabulary_size: int

    def encode(self, tokens: Bases) -> Encoded:
        """Return the tokens of bases A C G T N = 0 1 2 3 4, left to right."""
        ...

    def decode(self, ids: Ids) -> Bases:
        """Return the bases; special ids stand for none."""
        ...


class BaseTokenizer:
    """Every base is a token."""

    def __init__(self, config: TokenizerConfig) -> None:
        self.config, self.vocabulary_size = config, FIRST_WORD

    def encode(self, tokens: Bases) -> Encoded:
        """Return one token a base."""
        return Encoded(FIRST_LETTER + tokens.astype(np.int64), _spans(np.arange(len(tokens)), 1))

    def decode(self, ids: Ids) -> Bases:
        """Return the bases; special ids stand for none."""
        return (ids[ids >= FIRST_LETTER] - FIRST_LETTER).astype(np.uint8)


class KmerTokenizer:
    """Runs of known bases are cut into k-mers; what is left over, and N, are single letters.

    K-mers start every `stride` bases from the start of a run. With a stride of `k` these are the
    tokens of the Nucleotide Transformer (Dalla-Torre et al. 2025), and with a stride of 1 those of
    DNABERT (Ji et al. 2021), which knows no N.

    >>> tokenizer = KmerTokenizer(TokenizerConfig(kind="kmer", k=3))
    >>> tokenizer.encode(alphabet.encode("AAAACNAAC")).spans.tolist()
    [[0, 3], [3, 4], [4, 5], [5, 6], [6, 9]]
    """

    def __init__(self, config: TokenizerConfig) -> None:
        self.config, self.vocabulary_size = config, FIRST_WORD + 4**config.k
        self.k, self.stride = config.k, config.stride or config.k
        self._powers = 4 ** np.arange(config.k)[::-1]

    def encode(self, tokens: Bases) -> Encoded:
        """Return k-mers and single letters in the order of their first base."""
        edges = np.flatnonzero(np.diff(tokens != N, prepend=False, append=False))
        first, n_bases = edges[::2], edges[1::2] - edges[::2]
        n_words = np.maximum((n_bases - self.k) // self.stride + 1, 0)
        number = np.arange(n_words.sum()) - np.repeat(n_words.cumsum() - n_words, n_words)
        words = np.repeat(first, n_words) + number * self.stride
        alone = np.ones(len(tokens), dtype=np.bool_)
        windows = words[:, None] + np.arange(self.k)
        alone[windows] = False
        letters = np.flatnonzero(alone)
        ids = np.concatenate(
            [FIRST_WORD + tokens[windows] @ self._powers, FIRST_LETTER + tokens[letters]]
        ).astype(np.int64)
        spans = np.concatenate([_spans(words, self.k), _spans(letters, 1)])
        order = np.argsort(spans[:, 0], kind="stable")
        return Encoded(ids[order], spans[order])

    def decode(self, ids: Ids) -> Bases:
        """Return the bases; special ids stand for none."""
        ids = ids[ids >= FIRST_LETTER]
        is_word = ids >= FIRST_WORD
        # A k-mer after another adds what lies beyond the overlap.
        follows = np.append(False, is_word[:-1]) if len(ids) else is_word
        n_added = np.where(is_word, np.where(follows, self.stride, self.k), 1)
        digits = (ids[:, None] - FIRST_WORD) // self._powers % 4
        digits[~is_word, -1] = ids[~is_word] - FIRST_LETTER
        added = np.arange(self.k) >= self.k - n_added[:, None]
        return digits[added].astype(np.uint8)


class BpeTokenizer:
    """Byte pairs: the most frequent neighbours, joined again and again (Sennrich et al. 2016)."""

    def __init__(self, config: TokenizerConfig) -> None:
        library = _library()
        words = _words(config.merges)
        self.config, self.vocabulary_size = config, FIRST_LETTER + len(words)
        self._words = [alphabet.encode(word) for word in words]
        model = library.models.BPE(
            vocab={word: FIRST_LETTER + number for number, word in enumerate(words)},
            merges=[tuple(merge.split(" ")) for merge in config.merges],
        )
        self._tokenizer = library.Tokenizer(model)
        self._tokenizer.pre_tokenizer = library.pre_tokenizers.Split("N", "isolated")

    def encode(self, tokens: Bases) -> Encoded:
        """Join bases in the order the pairs were learned; N joins nothing."""
        encoding = self._tokenizer.encode(alphabet.decode(tokens))
        spans = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        return Encoded(np.array(encoding.ids, dtype=np.int64), spans)

    def decode(self, ids: Ids) -> Bases:
        """Return the bases; special ids stand for none."""
        kept = (ids[ids >= FIRST_LETTER] - FIRST_LETTER).tolist()
        words = [self._words[number] for number in kept]
        return np.concatenate([np.empty(0, dtype=np.uint8), *words])


def build_tokenizer(config: TokenizerConfig) -> Tokenizer:
    """Return the tokenizer of a configuration."""
    kinds = {"base": BaseTokenizer, "kmer": KmerTokenizer, "bpe": BpeTokenizer}
    return kinds[config.kind](config)


def train_bpe(
    contigs: Iterable[UInt8[np.ndarray, "_"]], *, vocabulary_size: int = 4_096, piece: int = 256
) -> BpeTokenizer:
    """Learn byte pairs from DNA, as read: give both strands for tokens of both.

    Args:
        contigs: tokens of sequences.
        vocabulary_size: ids, special ones and letters included; fewer come of short sequences.
        piece: bases that no pair is counted across the ends of; short ones make for fast training.

    Raises:
        ConfigError: `tokenizers` is not installed, or an argument cannot be used.
        DataError: there is nothing to learn from.
    """
    check_range(vocabulary_size, "vocabulary_size", low=FIRST_WORD + 1)
    check_range(piece, "piece", low=2)
    library = _library()
    known = LETTERS[:N]
    trainer = library.trainers.BpeTrainer(
        # The library counts the letters and what it joins; N and the special ids are ours.
        vocab_size=vocabulary_size - FIRST_WORD + len(known),
        initial_alphabet=list(known),
        show_progress=False,
    )
    learned = library.Tokenizer(library.models.BPE())
    learned.train_from_iterator((_pieces(contig, piece) for contig in contigs), trainer)
    merges = tuple(" ".join(pair) for pair in json.loads(learned.to_str())["model"]["merges"])
    if not merges:
        raise DataError(
            "there are no byte pairs to learn: the sequences hold no pair of known bases twice; "
            "give longer ones."
        )
    return BpeTokenizer(TokenizerConfig(kind="bpe", merges=merges))


def save_tokenizer(path: Path | str, tokenizer: Tokenizer) -> None:
    """Write a tokenizer as JSON."""
    head = {"format": _FORMAT, "version": _VERSION}
    write_json(path, head | {"tokenizer": to_plain(tokenizer.config)})


def load_tokenizer(path: Path | str) -> Tokenizer:
    """Return a tokenizer that `save_tokenizer` wrote."""
    return build_tokenizer(_read(path))


def _read(path: Path | str) -> TokenizerConfig:
    text = read_text(path, "tokenizer")
    with damage_errors(Path(path)):
        content = cast("dict[str, Any]", json.loads(text))
        if content["format"] != _FORMAT or content["version"] != _VERSION:
            raise DataError(
                f"{path} is {content['format']!r} {content['version']} and no {_FORMAT} "
                f"{_VERSION}; check the path."
            )
        return from_plain(TokenizerConfig, content["tokenizer"], str(path))


def _spans(starts: Ids, width: int) -> Int64[np.ndarray, "tokens 2"]:
    return np.stack([starts, starts + width], axis=1).astype(np.int64)


def _pieces(contig: Bases, length: int) -> list[str]:
    runs = alphabet.decode(contig).split(LETTERS[N])
    return [run[i : i + length] for run in runs for i in range(0, len(run), length)]


def _words(merges: tuple[str, ...]) -> list[str]:
    """Return the letters and what the merges make of them, in the order of their ids."""
    words = dict.fromkeys(LETTERS)
    for merge in merges:
        parts = merge.split(" ")
        if len(parts) != 2 or not all(part in words and part != LETTERS[N] for part in parts):
            raise ConfigError(
                f"merges must join two earlier words, as in 'A C' and then 'AC G'; got {merge!r}."
            )
        words["".join(parts)] = None
    return list(words)


def _library() -> Any:
    try:
        import tokenizers
    except ImportError:
        missing_extra("tokenizers", "lm")
    return tokenizers
