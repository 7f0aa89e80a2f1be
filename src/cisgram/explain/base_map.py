"""What the bases of a region do, as `cisgram explain` wrote it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float32, UInt8

from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.gene_maps import GeneMap, importance
from cisgram.genome.alphabet import N
from cisgram.genome.interval import Interval


@dataclass(frozen=True, kw_only=True, eq=False)
class BaseMap:
    """What each base does in each place of a region, along its strand."""

    region: Interval
    gene: str
    track: str
    """Number or track of the gene that is explained."""
    tokens: UInt8[np.ndarray, "positions"]
    heights: Float32[np.ndarray, "positions"]
    """What the base that is there does; NaN for N."""
    heights_are: str
    """What they are, in a word."""
    wants: Float32[np.ndarray, "positions 4"]
    """What each of the four would do, less the mean of the four."""

    @classmethod
    def of_changes(cls, found: GeneMap, *, gene: str, track: str) -> Self:
        """Take effects of changes on a track."""
        effects = found.of(track)
        return cls(
            region=found.region,
            gene=gene,
            track=track,
            tokens=found.tokens,
            heights=importance(effects),
            heights_are="importance",
            wants=effects - effects.mean(axis=1, keepdims=True),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `cisgram explain ism` or `cisgram explain gradients` wrote.

        Raises:
            DataError: it is missing or another file.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                region = Interval.parse(str(arrays["region"]))
                is_gradients = "hypothetical" in arrays
                effects = arrays["hypothetical" if is_gradients else "effects"].astype(np.float32)
                effects = effects.reshape(region.length, 4)
                own = arrays["contributions"] if is_gradients else importance(effects)
                return cls(
                    region=region,
                    gene=str(arrays["gene"]),
                    track=str(arrays["track"]),
                    tokens=np.minimum(arrays["tokens"], N).astype(np.uint8).reshape(region.length),
                    heights_are="contribution" if is_gradients else "importance",
                    heights=own.astype(np.float32).reshape(region.length),
                    wants=effects - effects.mean(axis=1, keepdims=True),
                )
        except FileNotFoundError as error:
            raise DataError(f"there is no map {path}; check the path.") from error
        except (KeyError, ValueError, TypeError, EOFError, BadZipFile, ConfigError) as error:
            raise DataError(
                f"{path} is no map of bases; write one with cisgram explain ism or gradients."
            ) from error
