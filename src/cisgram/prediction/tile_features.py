"""Features of the tiles that windows are made of, each computed once."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cisgram.core.device import device_of
from cisgram.models.base import SplitModel
from cisgram.prediction.feature_cache import FeatureCache
from cisgram.prediction.tiles import Tile


class TileFeatures:
    """What the local part of a model makes of tiles of one size, read as one species.

    Gradients flow through `of_windows` to the model when torch records them.
    """

    def __init__(self, model: SplitModel, *, size: int, species: int = 0) -> None:
        self.model, self.size, self.species = model, size, species
        self._rows: dict[Tile, int] = {}
        self._values: tuple[Float[Tensor, "tiles _bins _channels"], ...] = ()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bytes_each(self) -> int:
        """Memory that a tile takes; there must be one."""
        return sum(level[0].nbytes for level in self._values)

    def fetch(self, tiles: Iterable[Tile], cache: FeatureCache) -> int:
        """Take from a cache those of the tiles that are not there yet; return how many it had."""
        missing = self._missing(tiles)
        if not missing:
            return 0
        found, levels = cache.find(self.model, missing, size=self.size, species=self.species)
        if found:
            device = device_of(self.model)
            self._append(found, [tuple(level.to(device) for level in levels)])
        return len(found)

    def add(self, tiles: Iterable[Tile], *, most: int) -> list[Tile]:
        """Compute the tiles that are not there yet, `most` bases at a time; return which."""
        by_shape: dict[tuple[int, int, int], list[Tile]] = {}
        for tile in self._missing(tiles):
            by_shape.setdefault(tile.shape, []).append(tile)
        parts: list[tuple[Tensor, ...]] = []
        for (_, _, length), alike in by_shape.items():
            size = max(most // length, 1)
            parts += [self._local(alike[i : i + size]) for i in range(0, len(alike), size)]
        added = list(chain.from_iterable(by_shape.values()))
        if added:
            self._append(added, parts)
        return added

    def store(self, tiles: Sequence[Tile], cache: FeatureCache) -> None:
        """Give a cache the tiles that were added last."""
        if tiles:
            levels = tuple(level[-len(tiles) :] for level in self._values)
            cache.add(self.model, tiles, levels, size=self.size, species=self.species)

    def keep(self, tiles: Iterable[Tile]) -> None:
        """Forget all tiles but these."""
        kept = [tile for tile in dict.fromkeys(tiles) if tile in self._rows]
        if len(kept) == len(self._rows):
            return
        rows = torch.tensor([self._rows[tile] for tile in kept], dtype=torch.int64)
        self._values = tuple(level[rows.to(level.device)] for level in self._values)
        self._rows = {tile: row for row, tile in enumerate(kept)}

    def of_windows(
        self, windows: Sequence[Sequence[Tile]]
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return the features of whole windows of one length from those of their tiles."""
        length = sum(tile.kept for tile in windows[0])
        rows = torch.tensor([[self._rows[tile] for tile in window] for window in windows])
        joined: list[Tensor] = []
        for level in self._values:
            of_tiles = level.index_select(0, rows.flatten().to(level.device))
            resolution = self.size // level.shape[1]
            row = of_tiles.unflatten(0, tuple(rows.shape)).flatten(1, 2)
            joined.append(row[:, : length // resolution])
        return tuple(joined)

    def _append(self, tiles: Sequence[Tile], parts: list[tuple[Tensor, ...]]) -> None:
        before = [self._values] if self._values else []
        self._values = tuple(torch.cat(level) for level in zip(*before, *parts, strict=True))
        self._rows.update((tile, len(self._rows)) for tile in tiles)

    def _missing(self, tiles: Iterable[Tile]) -> list[Tile]:
        return [tile for tile in dict.fromkeys(tiles) if tile not in self._rows]

    def _local(self, batch: list[Tile]) -> tuple[Float[Tensor, "tiles _bins _channels"], ...]:
        skipped, kept, length = batch[0].shape
        device = device_of(self.model)
        together = bytearray().join(tile.tokens for tile in batch)
        tokens = torch.from_numpy(np.frombuffer(together, np.uint8)).view(len(batch), length)
        species = torch.full((len(batch),), self.species, device=device)
        found: list[Tensor] = []
        for level in self.model.local(tokens.to(device), species):
            resolution = length // level.shape[1]
            own = level[:, skipped // resolution : (skipped + kept) // resolution]
            # A window's last tile may be shorter; the rows that fill it up are never read.
            found.append(F.pad(own, (0, 0, 0, self.size // resolution - own.shape[1])))
        return tuple(found)
