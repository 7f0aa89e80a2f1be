"""`cisgram verify`: whether what was written is still as it was."""


def verify(path: str, /) -> None:
    """Compare every byte of what cisgram wrote with the digests that were noted then.

    Commands that open an artifact read small files whole and large ones in spots; this reads all.

    Args:
        path: Cohort, fit, model, packaged weights such as cisgram/yeast-lm, run of `cisgram train`,
            data set, genome, cache of features, unfinished run (NAME.partial), or a directory of
            them.
    """
    from pathlib import Path

    from cisgram.cli.options import say
    from cisgram.core.verify import verify as verified

    place = Path(path)
    if not place.exists():  # what follows loads torch
        from cisgram.models.hub import packaged_model

        place = packaged_model(path) or place
    say(*verified(place))
