"""Predictions for sets of sequences that share most of their DNA, no piece of it read twice.

People, variants, mutants and overlapping windows differ in few bases. Windows that are the same are
predicted once. Of the others, the local part of a model (`SplitModel.local`) reads every distinct
tile once; its features are gathered for each window, and `SplitModel.mix` finishes it. The
numbers are those of the plain loop, up to rounding.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from cisgram.core.checks import ConfigError, check_fields
from cisgram.core.device import device_of, evaluating
from cisgram.core.progress import progress
from cisgram.models.base import Model, SplitModel, check_tokens
from cisgram.prediction.feature_cache import FeatureCache
from cisgram.prediction.tile_features import TileFeatures
from cisgram.prediction.tiles import Tile, cheapest_size, distinct_windows, rounds, tiles_of

Spans = Int64[np.ndarray, "windows 2"]
Reduce = Callable[[Tensor, Spans], Tensor]
"""What is kept of outputs, (batch, ...) to (batch, ...), and of which bases of each window."""
STEPS = ("find", "cache", "local", "mix")
_MIB = 2**20
_AT_ONCE = 65_536
"""Most bases of tiles that the local part reads at once: each takes 3 kB in a layer of Enformer's
768 channels at single bases."""


@dataclass(frozen=True, kw_only=True)
class ReuseConfig:
    """How sets of windows are predicted."""

    tile: int | None = None
    """Bases of a tile, a multiple of the model's `multiple`; chosen for the least work if None."""
    batch: int = 4
    """Windows that a model takes at once."""
    memory_mib: int = 2_048
    """Memory that features of tiles may take."""
    cache: FeatureCache | None = None
    """Where features of tiles are kept across calls; nowhere if None. Of models without a local
    part there is nothing to keep."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self, "batch", "memory_mib", "tile", low=1)


@dataclass(kw_only=True)
class Account:
    """What was computed, and what a plain loop would have."""

    n_windows: int = 0
    n_distinct_windows: int = 0
    tile: int = 0
    """Bases of a tile; 0 where windows were read whole."""
    n_tiles: int = 0
    """Tiles of all windows."""
    n_distinct_tiles: int = 0
    """Tiles that were computed."""
    n_cached_tiles: int = 0
    """Tiles that the cache had in their place."""
    bases_read: int = 0
    """By the local part, or by the whole model where windows were read whole."""
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))
    """Spent finding what is distinct (`find`), reading and writing the cache (`cache`), in the
    local part (`local`), and gathering features and mixing them (`mix`); reading windows whole is
    `mix` too."""

    @property
    def distinct_tile_fraction(self) -> float:
        """Tiles computed of all tiles; of windows where they were read whole."""
        if self.n_tiles:
            return self.n_distinct_tiles / self.n_tiles
        return self.n_distinct_windows / max(self.n_windows, 1)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model makes of a set of windows, the same windows together."""

    distinct: Float32[np.ndarray, "distinct ..."]
    """A row a distinct window, in order of first appearance."""
    index: Int64[np.ndarray, "*sequences"]
    """Which row is a window's."""
    account: Account

    @property
    def values(self) -> Float32[np.ndarray, "..."]:
        """Predictions of every window, its axes first; they take memory for each."""
        return self.distinct[self.index]


def predict_sequences(
    model: Model,
    windows: UInt8[np.ndarray, "*sequences length"],
    *,
    spans: Int64[np.ndarray, "*sequences 2"] | None = None,
    species: int = 0,
    reuse: bool = True,
    reduce: Reduce | None = None,
    config: ReuseConfig | None = None,
) -> Predictions:
    """Predict windows of one length, whatever they are: haplotypes, variants, mutants.

    A model that is no `SplitModel` reads each distinct window whole.

    Args:
        model: any model.
        windows: tokens A C G T N = 0 1 2 3 4, with any axes before the last.
        spans: first base and the one after the last of what `reduce` reads in each window; the
            whole window by default.
        species: number that the model knows the genome by.
        reuse: read shared DNA once; otherwise every window is read whole, one after the other.
        reduce: what to keep of outputs and their windows' spans; all where None.
        config: sizes, memory and cache.

    Raises:
        ConfigError: the windows' length, the tile or a token does not suit the model.
    """
    config = config or ReuseConfig()
    flat = windows.reshape(-1, windows.shape[-1])
    if not flat.size:
        raise ConfigError("there must be at least one window of at least one base; got none.")
    model.check_length(flat.shape[1])
    check_tokens(flat, model)
    if spans is None:
        spans = np.broadcast_to(np.array([0, flat.shape[1]]), (*windows.shape[:-1], 2))
    run = _Run(model, species, spans.reshape(-1, 2), reduce, config)
    rows, index = run.distinct(flat) if reuse else (flat, np.arange(len(flat)))
    run.account.n_windows, run.account.n_distinct_windows = len(flat), len(rows)
    with evaluating(model), progress("predicting", len(rows)) as ticker:
        batches = (
            run.tiled(model, rows) if reuse and isinstance(model, SplitModel) else run.whole(rows)
        )
        found: list[Float32[np.ndarray, "batch ..."]] = []
        for batch in batches:
            found.append(batch)
            ticker.advance(len(batch))
    return Predictions(np.concatenate(found), index.reshape(windows.shape[:-1]), run.account)


def share_tiles(
    model: SplitModel,
    windows: UInt8[Tensor, "batch length"],
    *,
    tile: int,
    species: int = 0,
) -> Float[Tensor, "batch ..."]:
    """Return a model's output for a batch, its distinct tiles read once; gradients flow through.

    For steps of training. Each distinct tile is read by itself, so that layers which look at the
    whole batch or draw at random (batch norms and dropout) must not do so in the local part.

    Raises:
        ConfigError: the windows' length, or the tile, does not suit the model.
    """
    model.check_length(windows.shape[1])
    _check_tile(model, tile)
    rows = windows.cpu().numpy()
    pieces = [tiles_of(row, size=tile, halo=model.halo) for row in rows]
    features = TileFeatures(model, size=tile, species=species)
    features.add(chain.from_iterable(pieces), most=windows.numel())
    return model.mix(features.of_windows(pieces))


@dataclass(eq=False)
class _Run:
    """One set of windows under way."""

    model: Model
    species: int
    spans: Spans
    """Of each window; of each distinct one once they are found."""
    reduce: Reduce | None
    config: ReuseConfig
    account: Account = field(default_factory=Account)

    def distinct(
        self, flat: UInt8[np.ndarray, "windows length"]
    ) -> tuple[UInt8[np.ndarray, "distinct length"], Int64[np.ndarray, "windows"]]:
        with self._clock("find"):
            first, index = distinct_windows(flat, self.spans)
            self.spans = self.spans[first]
            return flat[first], index

    def whole(
        self, rows: UInt8[np.ndarray, "windows length"]
    ) -> Iterator[Float32[np.ndarray, "batch ..."]]:
        """Yield predictions of batches of windows read whole."""
        device = device_of(self.model)
        self.account.bases_read = rows.size
        for first in range(0, len(rows), self.config.batch):
            with self._clock("mix"):
                tokens = torch.from_numpy(rows[first : first + self.config.batch]).to(device)
                species = torch.full((len(tokens),), self.species, device=device)
                output = self._kept(self.model(tokens, species=species), first)
            yield output

    def tiled(
        self, model: SplitModel, rows: UInt8[np.ndarray, "windows length"]
    ) -> Iterator[Float32[np.ndarray, "batch ..."]]:
        """Yield predictions of batches of windows, their distinct tiles read once."""
        account, config, halo = self.account, self.config, model.halo
        with self._clock("find"):
            size = config.tile or cheapest_size(rows, multiple=model.multiple, halo=halo)
            _check_tile(model, size)
            # Equal tiles become one object, so that their bases are in memory once.
            known: dict[Tile, Tile] = {}
            windows = [
                [known.setdefault(tile, tile) for tile in tiles_of(row, size=size, halo=halo)]
                for row in rows
            ]
        account.tile, account.n_tiles = size, account.n_windows * len(windows[0])
        features = TileFeatures(model, size=size, species=self.species)
        most, done = min(config.batch * rows.shape[1], _AT_ONCE), 0
        for part in rounds(windows, most=self._capacity(features, windows[0][0])):
            tiles = list(chain.from_iterable(part))
            with self._clock("local"):
                features.keep(tiles)
            self._read(features, tiles, most=most)
            for first in range(0, len(part), config.batch):
                with self._clock("mix"):
                    gathered = features.of_windows(part[first : first + config.batch])
                    output = self._kept(model.mix(gathered), done)
                done += len(output)
                yield output

    def _capacity(self, features: TileFeatures, tile: Tile) -> int:
        """Return how many tiles fit into memory; they are copied when more are added."""
        self._read(features, [tile], most=1)
        return self.config.memory_mib * _MIB // (2 * features.bytes_each)

    def _read(self, features: TileFeatures, tiles: Sequence[Tile], *, most: int) -> None:
        """Add the features of tiles, from the cache where it has them."""
        account, cache = self.account, self.config.cache
        if cache is not None:
            with self._clock("cache"):
                account.n_cached_tiles += features.fetch(tiles, cache)
        with self._clock("local"):
            computed = features.add(tiles, most=most)
        account.n_distinct_tiles += len(computed)
        account.bases_read += sum(len(tile.tokens) for tile in computed)
        if cache is not None:
            with self._clock("cache"):
                features.store(computed, cache)

    def _kept(self, output: Tensor, first: int) -> Float32[np.ndarray, "batch ..."]:
        """Return what is kept of outputs, the first of which is that of window `first`."""
        if self.reduce is not None:
            output = self.reduce(output, self.spans[first : first + len(output)])
        return output.float().cpu().numpy()

    @contextmanager
    def _clock(self, what: str) -> Generator[None]:
        start = time.perf_counter()
        yield
        self.account.seconds[what] += time.perf_counter() - start


def _check_tile(model: SplitModel, tile: int) -> None:
    if tile % model.multiple:
        raise ConfigError(f"tile must be a multiple of {model.multiple:,} bases; got {tile:,}.")
