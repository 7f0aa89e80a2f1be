"""Whether a figure is drawn; imports nothing heavy, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path

from cisgram.core.checks import ConfigError, check_suffix

FIGURES = (".png", ".pdf", ".svg")
"""How the names of figures end."""


@dataclass(frozen=True, kw_only=True)
class FigureOptions:
    """Whether a figure is drawn, and what is known of the DNA in it."""

    figure: Path | None = None
    """Also draw it, as .png, .pdf or .svg."""
    sites: Path | None = None
    """BED of what is known, to be drawn in the figure."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn, before anything long is computed.

        Raises:
            ConfigError: the figure ends in no known suffix, or there are sites and no figure.
        """
        if self.figure is not None:
            check_suffix(self.figure, *FIGURES)
        elif self.sites is not None:
            raise ConfigError("--sites are drawn in the figure; add --figure, or leave them out.")


NO_FIGURE = FigureOptions()
