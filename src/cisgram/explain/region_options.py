"""Which region is explained, and of what; imports nothing heavy, so that `--help` is quick."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RegionOptions:
    """A region, and what of which model is explained there."""

    model: str
    """Packaged weights such as cisgram/yeast-expression, a model's directory, or a run of
    `cisgram train`."""
    region: str
    """Such as chrII:278000-278500, counted from 1; a strand may follow, as in
    chrII:278000-278500(-)."""
    gene: str | None = None
    """What is read, by identifier or name; the gene that starts nearest to the region's middle by
    default."""
    track: str | None = None
    """A number of genes that the model learnt, or a track; its first number by default."""
