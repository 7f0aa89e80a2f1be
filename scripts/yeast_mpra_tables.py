"""Tables of what models say of reporter libraries for the docs."""

from markdown_tables import Result, Table, listed, markdown

COLUMNS = (
    ("native", "pearson"),
    ("native, held out", "pearson"),
    ("random", "pearson"),
    ("mutants", "pearson"),
    ("mutants", "sign"),
    ("designs", "auroc"),
)
HEAD = (
    "predictor", "native, r", "of test chromosomes, r", "random, r", "mutants, r",
    "mutants, direction right", "designs, AUROC",
)  # fmt: skip


def zero_shot(result: Result) -> str:
    """A row a predictor, a column a library."""
    found = result["zero_shot"]
    rows = [
        [name, *(listed(found[library][name][measure]) for library, measure in COLUMNS)]
        for name in found["native"]
    ]
    n = result["n"]
    sizes = (
        f"{n['native']:,} native sequences, {n['native, held out']:,} of test chromosomes, "
        f"{n['random']:,} random, {n['mutants'] - n['mutants of']:,} mutants of "
        f"{n['mutants of']:,}, {n['designs']:,} designs; in front of {', '.join(result['hosts'])}."
    )
    return f"{sizes}\n\n{markdown(HEAD, rows)}"


def outputs(result: Result) -> str:
    """A row a model and output: r of each library."""
    by_output = result["by_output"]
    rows = [
        [name, f"`{output}`", *(listed(by_output[library][name][output]) for library in by_output)]
        for name, cells in by_output["native"].items()
        for output in cells
    ]
    return markdown(["predictor", "output", *by_output], rows, text=2)


def head(result: Result) -> str:
    """A row a kind of features: r of each library."""
    found = result["head"]
    libraries = list(next(iter(found.values())))
    rows = [[name, *(listed(cells[what]) for what in libraries)] for name, cells in found.items()]
    return markdown(["what the head reads", *libraries], rows)


TABLES = {
    "yeast_mpra": {
        "zero_shot": Table(zero_shot, ("zero_shot",)),
        "outputs": Table(outputs, ("by_output",)),
        "head": Table(head, ("head",)),
    }
}
