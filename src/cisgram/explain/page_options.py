"""What a page of a gene shows besides; imports nothing heavy, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What is set beside the explanations of a region."""

    language_model: str | None = None
    """What this expects there: packaged weights such as cisgram/yeast-lm, a model directory, or a
    run."""
    sites: Path | None = None
    """BED of what is known, to be drawn and summed up."""
    scan: Path | None = None
    """JASPAR or MEME file whose motifs are looked for in the region."""


PLAIN = PageOptions()
