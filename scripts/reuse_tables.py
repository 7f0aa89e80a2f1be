"""Tables of the reuse engine for the docs, from reuse_cohort.json."""

from markdown_tables import Result, Table, markdown, seconds, times, tiny

from cisgram.report.words import commas

_STEPS = {
    "haplotypes": "haplotypes",
    "find": "finding what is distinct",
    "local": "local part",
    "mix": "mixing",
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


TABLES = {"reuse_cohort": {"cohort": Table(cohort, ("rows",)), "time": Table(time, ("rows",))}}
