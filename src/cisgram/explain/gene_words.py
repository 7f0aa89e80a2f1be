"""What words do to genes whose promoters say nothing else.

The bases before each gene are shuffled, a word is put among them, and the gene is read with and
without it: global importance analysis (Koo et al. 2021, doi:10.1371/journal.pcbi.1008925), whose
unit is the gene.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, UInt8

from cisgram.core.checks import ConfigError, DataError, check_choice
from cisgram.core.metrics import Estimate, bootstrap_ci, bootstrap_difference
from cisgram.core.progress import progress
from cisgram.explain.marginalize import likeliest_word, put_in, shuffles
from cisgram.explain.motifs import Motif
from cisgram.explain.word_options import WordConfig
from cisgram.genome.alphabet import N, decode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.genes import GeneReadout, GeneWindow, gene_window, read_gene
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.tracks import TrackReader

_AT_ONCE = 1_024
"""Windows of a gene in memory at once, or those of one word."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneWords:
    """What words do to each of some genes, and what their shuffled letters do."""

    genes: tuple[str, ...]
    words: tuple[str, ...]
    sequences: tuple[str, ...]
    """What was put in, N for bases that were left."""
    distances: tuple[int, ...]
    """Bases from the middle of a word to the gene's first base."""
    outputs: tuple[str, ...]
    """Names of what is read of a gene."""
    effects: Float32[np.ndarray, "genes words distances outputs"]
    """With the word less without it, the mean over backgrounds and ways round: differences of the
    gene's numbers, logSED of its tracks."""
    nulls: Float32[np.ndarray, "genes words distances outputs"]
    """The same of the word's letters in other orders; NaN where all of them are alike."""

    def table(self, output: str, *, seed: int = 0) -> pl.DataFrame:
        """Return means over genes with 95 % bootstrap intervals, a row a word and distance.

        Columns are word, sequence, distance, genes, effect, low, high, null, difference (of effect
        and null, gene by gene), difference_low and difference_high.

        Raises:
            ConfigError: there is no such output.
            DataError: there is one gene alone.
        """
        if len(self.genes) < 2:
            raise DataError("an interval over genes needs two genes or more; got one.")
        number = self.outputs.index(check_choice(output, self.outputs, "track"))
        rows: list[dict[str, str | float]] = []
        for w, d in np.ndindex(len(self.words), len(self.distances)):
            own, null = (found[:, w, d, number] for found in (self.effects, self.nulls))
            effect, beyond = bootstrap_ci(own, seed=seed), Estimate(np.nan, np.nan, np.nan)
            if not np.isnan(null).all():
                beyond = bootstrap_difference(own, null, seed=seed)
            names = ("word", "sequence", "distance", "genes")
            place = (self.words[w], self.sequences[w], self.distances[d], len(self.genes))
            rows.append(
                dict(zip(names, place, strict=True))
                | dict(zip(("effect", "low", "high"), effect, strict=True))
                | {"null": float(null.mean(dtype=np.float64)), "difference": beyond.value}
                | {"difference_low": beyond.low, "difference_high": beyond.high}
            )
        return pl.DataFrame(rows)


def words_for_genes(
    reader: TrackReader,
    reference: Reference,
    genes: Mapping[str, Interval],
    *,
    words: Sequence[Motif],
    distances: Sequence[int],
    config: WordConfig | None = None,
    species: int = 0,
    reuse: ReuseConfig | None = None,
) -> GeneWords:
    """Put words before genes, into promoters that are shuffled, and read the genes.

    Genes lie in the middle of windows of which nothing but the promoter is changed; both strands
    of a window are read. What a gene's promoters and a word's letters become depends on the seed
    and their numbers alone.

    Args:
        reader: the model.
        reference: the genome.
        genes: bodies of the genes on their strands, by name.
        words: of which the likeliest word is put in.
        distances: bases from the middle of a word, base `width // 2`, to the gene's first base.
        config: how.
        species: number that the model knows the genome by.
        reuse: how windows are predicted.

    Raises:
        ConfigError: there are no genes, words or distances, a word does not fit into the promoter,
            or a gene has no promoter in its window.
        DataError: a gene lies on no contig.
    """
    config = config or WordConfig()
    tokens = check_words(words, distances, promoter=config.promoter)
    if not genes:
        raise ConfigError("there must be a gene to put words before; got none.")
    places = {name: gene_window(reader, reference, gene) for name, gene in genes.items()}
    for name, place in places.items():
        if not _has_promoter(place, genes[name], config.promoter):
            raise ConfigError(
                f"gene {name} has no {config.promoter:,} bases before it in {place.window}; "
                "leave it out, or shuffle fewer."
            )
    outputs = reader.columns.of_a_gene
    shape = (len(genes), len(words), len(distances), len(outputs))
    effects, nulls = np.empty(shape, np.float32), np.empty(shape, np.float32)
    with progress("putting words before genes", len(genes)) as ticker:
        for gene, (name, place) in enumerate(places.items(), start=1):
            start, _ = place.window.locate(genes[name])
            promoters = _Promoters(
                readout=GeneReadout(reader, place),
                start=start,
                backgrounds=_shuffled(reference.fetch(place.window), start, config, gene),
                config=config,
            )
            for part in _parts(len(words), len(distances), config):
                rows = [_rows(tokens[word], config, (gene, word + 1)) for word in part]
                found = promoters.read(rows, distances, species=species, reuse=reuse)
                effects[gene - 1, part], nulls[gene - 1, part] = found
            ticker.advance()
    nulls[:, [len(set(word[word < N])) < 2 for word in tokens]] = np.nan
    return GeneWords(
        genes=tuple(genes),
        words=tuple(word.name for word in words),
        sequences=tuple(decode(word) for word in tokens),
        distances=tuple(distances),
        outputs=outputs,
        effects=effects,
        nulls=nulls,
    )


def check_words(
    words: Sequence[Motif], distances: Sequence[int], *, promoter: int
) -> list[UInt8[np.ndarray, "_width"]]:
    """Return the letters of words, each the likeliest of its motif.

    Raises:
        ConfigError: there are no words or distances, or a word says nothing or does not fit into
            the promoter.
    """
    if not words or not distances:
        raise ConfigError("there must be a word and a distance; one has none.")
    tokens = [likeliest_word(word) for word in words]
    for word, letters in zip(words, tokens, strict=True):
        if (letters == N).all():
            raise ConfigError(f"word {word.name} has no base that is likelier than another.")
        for distance in distances:
            before = distance + word.width // 2
            if not word.width <= before <= promoter:
                raise ConfigError(
                    f"word {word.name} of {word.width:,} bases at a distance of {distance:,} "
                    f"must lie within the {promoter:,} bases before a gene; choose another "
                    "distance."
                )
    return tokens


def with_promoters(
    reader: TrackReader, reference: Reference, genes: Mapping[str, Interval], *, promoter: int
) -> dict[str, Interval]:
    """Return the genes whose windows hold so many bases before them.

    Raises:
        DataError: a gene lies on no contig.
    """
    return {
        name: gene
        for name, gene in genes.items()
        if _has_promoter(gene_window(reader, reference, gene), gene, promoter)
    }


def reordered(
    word: UInt8[np.ndarray, "width"], rng: np.random.Generator
) -> UInt8[np.ndarray, "width"]:
    """Return a word's letters in another order, N where they are.

    It is neither the word nor its reverse complement; but a word of one letter stays as it is.

    >>> from cisgram.genome.alphabet import encode
    >>> decode(reordered(encode("ANC"), np.random.default_rng(0)))
    'CNA'
    """
    known, found = np.flatnonzero(word < N), word.copy()
    while len(set(word[known].tolist())) > 1:
        found[known] = rng.permutation(word[known])
        if (found != word).any() and (found != reverse_complement(word)).any():
            break
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Promoters:
    """A gene in windows whose promoters are shuffled."""

    readout: GeneReadout
    start: int
    """Of the gene in the window, along its strand."""
    backgrounds: UInt8[np.ndarray, "backgrounds length"]
    config: WordConfig

    def read(
        self,
        words: Sequence[UInt8[np.ndarray, "rows _width"]],
        distances: Sequence[int],
        *,
        species: int,
        reuse: ReuseConfig | None,
    ) -> tuple[
        Float32[np.ndarray, "words distances outputs"],
        Float32[np.ndarray, "words distances outputs"],
    ]:
        """Return the mean effects of words, whose rows `_rows` made, and of their nulls."""
        n, rows = len(self.backgrounds), len(words[0])
        # Words meet every background, and nulls one each, in turn.
        under = np.r_[np.arange(n), np.arange(rows - n) % n]
        windows = [self.backgrounds]
        for word in words:
            ways = [word, reverse_complement(word)] if self.config.both_strands else [word]
            for distance in distances:
                first = self.start - distance - word.shape[1] // 2
                windows += [
                    put_in(row, self.backgrounds[[background]], first)
                    for way in ways
                    for row, background in zip(way, under, strict=True)
                ]
        read = read_gene(self.readout, np.concatenate(windows), species=species, config=reuse)
        after = read[n:].reshape(len(words), len(distances), -1, rows, read.shape[1])
        found = self.readout.effects(after, read[:n][under])
        return found[..., :n, :].mean(axis=(2, 3)), found[..., n:, :].mean(axis=(2, 3))


def _shuffled(
    window: UInt8[np.ndarray, "length"], start: int, config: WordConfig, gene: int
) -> UInt8[np.ndarray, "backgrounds length"]:
    """Return windows with shuffled promoters; genes count from 1, as seeds do not see zeros."""
    backgrounds = np.repeat(window[None], config.n_backgrounds, axis=0)
    rng = np.random.default_rng((config.seed, gene))
    promoter = slice(start - config.promoter, start)
    backgrounds[:, promoter] = shuffles(window[None, promoter], n=config.n_backgrounds, rng=rng)
    return backgrounds


def _rows(
    word: UInt8[np.ndarray, "width"], config: WordConfig, numbers: tuple[int, int]
) -> UInt8[np.ndarray, "rows width"]:
    """Return a word once for each background, then nulls; `numbers` are the gene's and its own."""
    rng = np.random.default_rng((config.seed, *numbers))
    nulls = [reordered(word, rng) for _ in range(config.n_nulls)]
    return np.stack([word] * config.n_backgrounds + nulls)


def _parts(n_words: int, n_distances: int, config: WordConfig) -> Iterator[list[int]]:
    """Yield numbers of words that are read together."""
    each = n_distances * (1 + config.both_strands) * (config.n_backgrounds + config.n_nulls)
    size = max(1, _AT_ONCE // each)
    for first in range(0, n_words, size):
        yield list(range(first, min(first + size, n_words)))


def _has_promoter(place: GeneWindow, gene: Interval, promoter: int) -> bool:
    start, _ = place.window.locate(gene)
    return promoter <= start <= place.window.length
