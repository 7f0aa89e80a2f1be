"""Tables of the reuse engine for the docs, from reuse_cohort.json and feature_cache.json."""

from markdown_tables import Result, Table, markdown, seconds, times, tiny

from cisgram.report.words import commas

_STEPS = {
    "haplotypes": "haplotypes",
    "find": "finding what is distinct",
    "local": "local part",
    "mix": "mixing",
}
_WAYS = {
    "without": "no cache",
    "cold": "into an empty cache",
    "warm": "from a cache in memory",
    "disk": "from a cache on disk",
}


def cohort(result: Result) -> str:
    """A row a network, window and number of people."""
    rows = [
        [
            f"`{row['network']}`",
            commas(row["window"]),
            commas(row["people"]),
            commas(row["genes"]),
            f"{row['distinct_window_fraction']:.1%}",
            f"{row['distinct_tile_fraction']:.1%}",
            seconds(row["seconds"]),
            commas(round(row["plain_seconds"])),
            times(row["speedup"]),
            times(row["speedup_windows_alone"]),
        ]
        for row in result["rows"]
    ]
    head = (
        "network", "window", "people", "genes", "distinct windows", "distinct tiles", "seconds",
        "plain loop, seconds", "times", "equal windows alone",
    )  # fmt: skip
    worst = max(row["max_relative_difference"] for row in result["rows"])
    return (
        f"{markdown(head, rows)}\n\nThe two differ by {tiny(worst)} of the largest output at most. "
        f"Measured on {result['machine']['cpu']}, {result['machine']['threads']} threads."
    )


def time(result: Result) -> str:
    """Where the time goes."""
    rows = [
        [f"`{row['network']}`", commas(row["window"]), commas(row["people"])]
        + [f"{row['seconds_by_step'][step] / row['seconds']:.1%}" for step in _STEPS]
        for row in result["rows"]
    ]
    return markdown(("network", "window", "people", *_STEPS.values()), rows)


def scored(result: Result) -> str:
    """A row a way of scoring the same variants."""
    found, taken = result["scored"], result["scored"]["seconds"]
    rows = [
        [words, seconds(taken[way]), times(taken["without"] / taken[way])]
        for way, words in _WAYS.items()
    ]
    return (
        f"{markdown(('scored', 'seconds', 'times'), rows)}\n\n"
        f"{commas(found['pairs'])} pairs of variant and gene, {commas(found['genes'])} genes; "
        f"{commas(round(found['mib']))} MiB were kept, and the filled cache had "
        f"{found['found']:.1%} of the tiles. Effects differ by "
        f"{tiny(found['max_difference'])} at most. Measured on {result['machine']['cpu']}, "
        f"{result['machine']['threads']} threads."
    )


def tiles(result: Result) -> str:
    """A row a network: what its tiles cost."""
    rows = [
        [f"`{row['network']}`" if "/" in row["network"] else row["network"]]
        + [commas(round(row["bytes_per_base"]))]
        + [
            f"{1e6 * row[f'{what}_seconds'] / (row['tiles'] * row['tile']):.2f}"
            for what in ("computed", "written", "warm", "disk")
        ]
        for row in result["tiles"]
    ]
    head = (
        "network", "bytes a base", "computed, µs a base", "written", "read from memory",
        "read from disk",
    )  # fmt: skip
    return markdown(head, rows)


TABLES = {
    "reuse_cohort": {"cohort": Table(cohort, ("rows",)), "time": Table(time, ("rows",))},
    "feature_cache": {
        "scored": Table(scored, ("scored/seconds",)),
        "tiles": Table(tiles, ("tiles",)),
    },
}
