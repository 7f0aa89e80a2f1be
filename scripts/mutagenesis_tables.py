"""Tables of the speed of saturation mutagenesis for the docs, from mutagenesis.json."""

from markdown_tables import Result, Table, markdown


def speed(result: Result) -> str:
    """A row a network and length: mutants a second, and how much faster than the peer."""
    rows = [
        [
            f"`{row['network']}`",
            f"{row['length']:,}",
            f"{row['mutants_per_second']:,.1f}",
            f"{row['tangermeme_mutants_per_second']:,.1f}",
            _if_there(row, "tangermeme_fast_mutants_per_second", "{:,.1f}"),
            f"{row['speedup_vs_tangermeme']:.1f}x",
            _if_there(row, "speedup_vs_tangermeme_fast", "{:.1f}x"),
            _if_there(row, "mix_only_bound", "{:.1f}x"),
            f"{row['max_relative_difference']:.0e}",
        ]
        for row in result["rows"]
    ]
    head = (
        "network",
        "window",
        "mutants a second",
        "tangermeme",
        "tangermeme, `fast`",
        "faster",
        "faster than `fast`",
        "bound of the global part",
        "largest difference",
    )
    return markdown(head, rows)


def _if_there(row: Result, key: str, form: str) -> str:
    return form.format(row[key]) if row.get(key) is not None else "refused" if "fast" in key else ""


TABLES = {"mutagenesis": {"speed": Table(speed, ("rows",))}}
