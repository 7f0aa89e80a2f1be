"""Whether commands keep features of DNA for the next one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cisgram.predict.reuse import ReuseConfig


@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """Where features are kept from one command to the next."""

    cache: Path | None = None
    """Directory that keeps what the model makes of each piece of DNA before it relates the pieces,
    for later commands that meet the piece again. It is found by the model's weights and the DNA
    itself, so that any models and genomes may share the directory. It grows to 4 GiB at most, and
    may be deleted whenever no command uses it."""

    def config(self) -> "ReuseConfig":
        """Return how windows are to be predicted."""
        from cisgram.predict.feature_cache import FeatureCache
        from cisgram.predict.reuse import ReuseConfig

        return ReuseConfig(cache=None if self.cache is None else FeatureCache(self.cache))


NO_CACHE = CacheOptions()
"""Nothing is kept."""
