"""Several networks of tracks that read the same windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError
from cisgram.models.base import Bases, TrackModel
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig

_SHARED = ("window", "margin", "resolution", "n_columns")


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig:
    """Sizes of every member; eight of the published ones by default, as Shorkie's folds are."""

    members: tuple[ShorkieTracksConfig, ...] = (ShorkieTracksConfig(),) * 8

    def __post_init__(self) -> None:
        """Check every field."""
        if len(self.members) < 2:
            raise ConfigError(f"an ensemble has two members or more; got {len(self.members)}.")


class EnsembleTracks(TrackModel):
    """Puts the columns of its members beside each other, the first member's first."""

    kind = "ensemble"

    def __init__(self, config: EnsembleConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(ShorkieTracks(own) for own in config.members)
        first, *others = self._each()
        for number, other in enumerate(others, start=2):
            for name in _SHARED:
                own, theirs = getattr(first, name), getattr(other, name)
                if own != theirs:
                    raise ConfigError(
                        f"members of an ensemble must have one {name}; the first has {own:,}, "
                        f"number {number} has {theirs:,}."
                    )
        self.window, self.resolution = first.window, first.resolution
        self.margin, self.n_columns = first.margin, first.n_columns * len(config.members)
        # Both are lengths that suit every member: `multiple` is a power of two.
        self.multiple = max(member.multiple for member in self._each())
        reach = max(member.halo for member in self._each())
        self.halo = -(-reach // self.multiple) * self.multiple

    def check_length(self, length: int) -> None:
        """Refuse windows that a member cannot take.

        Raises:
            ConfigError: `length` does not suit it.
        """
        for member in self._each():
            member.check_length(length)

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return the features of every member, one after the other."""
        return tuple(level for member in self._each() for level in member.local(tokens, species))

    def mix(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch bins columns"]:
        """Return what the members' `mix` do, as columns of one."""
        rest = iter(features)
        return torch.cat(
            [member.mix(tuple(islice(rest, member.n_levels))) for member in self._each()], dim=-1
        )

    def _each(self) -> Iterable[ShorkieTracks]:
        return cast("Sequence[ShorkieTracks]", self.members)
