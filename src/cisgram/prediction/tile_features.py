"""Features of the tiles that windows are made of, each computed once."""

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
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
        asked = self._missing(tiles)
        if not asked:
            return 0
        found, levels = cache.find(self.model, asked, size=self.size, species=self.species)
        if found:
            device = device_of(self.model)
            parts = [self._values] if self._values else []
            parts.append(tuple(level.to(device) for level in levels))
            self._values = tuple(torch.cat(level) for level in zip(*parts, strict=True))
            self._rows.update((tile, len(self._rows)) for tile in found)
        return len(found)

    def add(self, tiles: Iterable[Tile], *, most: int) -> list[Tile]:
        """Compute the tiles that are not there yet, `most` bases at a time; return which."""
        n_before = len(self._rows)
        by_shape: dict[tuple[int, int, int], list[Tile]] = {}
        for tile in self._missing(tiles):
            by_shape.setdefault(tile.shape, []).append(tile)
        parts = [self._values] if self._values else []
        for (_, _, length), alike in by_shape.items():
            rest = iter(alike)
            while batch := list(islice(rest, max(most // length, 1))):
                parts.append(self._local(batch))
                self._rows.update((tile, len(self._rows)) for tile in batch)
        if by_shape:
            self._values = tuple(torch.cat(level) for level in zip(*parts, strict=True))
        return list(islice(self._rows, n_before, None))

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
        return tuple(self._join(level, rows.to(level.device), length) for level in self._values)

    def _missing(self, tiles: Iterable[Tile]) -> list[Tile]:
        return [tile for tile in dict.fromkeys(tiles) if tile not in self._rows]

    def _join(
        self,
        level: Float[Tensor, "tiles bins channels"],
        rows: Int[Tensor, "batch n_tiles"],
        length: int,
    ) -> Float[Tensor, "batch _ channels"]:
        joined = level.index_select(0, rows.flatten()).unflatten(0, tuple(rows.shape))
        resolution = self.size // level.shape[1]
        return joined.flatten(1, 2)[:, : length // resolution]

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
