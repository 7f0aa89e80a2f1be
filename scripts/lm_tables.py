"""Tables of language models for the docs, from yeast_lm.json and lm_throughput.json."""

from collections.abc import Sequence

from markdown_tables import Result, Table, markdown, rounded, times, tiny

from cisgram.report.words import commas

REGIONS = ("CDS", "intron", "UTR", "promoter", "intergenic", "tRNA", "rRNA", "ncRNA", "repeat")


def _interval(value: float, low: float, high: float, digits: int = 3) -> str:
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def perplexities(result: Result) -> str:
    """A row a model or baseline, a column a region."""
    regions = [name for name in REGIONS if name in result["n_bases"]]
    rows: list[Sequence[str]] = [
        ["known bases", commas(result["n_bases"]["overall"])]
        + [commas(result["n_bases"][name]) for name in regions]
    ]
    for name, row in (result["models"] | result["baselines"]).items():
        interval = _interval(*(row["perplexity"][key] for key in ("overall", "low", "high")))
        rows.append(
            [f"`{name}`" if name in result["models"] else name, interval]
            + [f"{row['by_region'].get(region, float('nan')):.3f}" for region in regions]
        )
    return markdown(["model", "all bases (95%)", *regions], rows)


def training(result: Result) -> str:
    """What each model learnt from, for how long."""
    rows = [
        [
            f"`{name}`",
            commas(len(row["genomes"])),
            commas(row["steps"]),
            f"{row['seconds'] / 60:,.0f}",
        ]
        for name, row in result["models"].items()
    ]
    return markdown(("model", "genomes", "steps", "minutes on two cores"), rows)


def ratios(result: Result) -> str:
    """Perplexity of one over another on the same bases."""
    rows = [
        [f"{row['of']} over {row['over']}", _interval(row["value"], row["low"], row["high"], 4)]
        for row in result["ratios"]
    ]
    return markdown(["perplexity of", "ratio (95%)"], rows)


def not_copied(result: Result) -> str:
    """Bases that cannot have been copied from what the count models learnt from."""
    part = result["not_copied"]
    rows = [
        [name, _interval(row["value"], row["low"], row["high"])]
        for name, row in part.items()
        if name != "n_bases"
    ]
    return markdown(["model", f"{commas(part['n_bases'])} bases not copied (95%)"], rows)


def protocols(result: Result) -> str:
    """The first model, measured otherwise."""
    rows = [
        [name, _interval(*(row["perplexity"][key] for key in ("overall", "low", "high")))]
        for name, row in result["protocols"].items()
    ]
    return markdown(["how", "all bases (95%)"], rows)


def published(result: Result) -> str:
    """Shorkie's figures, and why they are not the same quantity."""
    figures = result["published"]["figures"]
    rows = [[name, *(f"{value:.3f}" for value in row.values())] for name, row in figures.items()]
    table = markdown(["Shorkie, published", *next(iter(figures.values()))], rows)
    differences = "\n".join(f"- {line}." for line in result["published"]["differences"])
    return f"{table}\n\nDifferences of protocol:\n\n{differences}"


def throughput(result: Result) -> str:
    """A row a network, work and precision."""
    rows = [
        [
            f"`{row['network']}`",
            row["work"],
            row["precision"],
            f"{row['bases_per_second'] / 1e3:,.1f}",
            f"{row['fraction_of_matmul_peak']:.0%}",
            times(row["times_plain"]),
        ]
        for row in result["networks"]
    ]
    head = ("network", "work", "precision", "kb/s", "of matrix-product peak", "times plain torch")
    peaks = ", ".join(f"{name} {rounded(value)}" for name, value in result["matmul_peak"].items())
    most = max(result["same_network"].values())
    return (
        f"{markdown(head, rows, text=3)}\n\nMatrix products reach {peaks} GFLOP/s here. The two "
        f"implementations differ by {tiny(most)} of the largest logit at most."
    )


def memory(result: Result) -> str:
    """A row a window."""
    peaks: dict[int, dict[str, Result]] = {}
    for row in result["memory"]:
        peaks.setdefault(row["window"], {})[row["work"]] = row
    rows = [
        [commas(window)]
        + [
            commas(round(of[work]["peak_mib"])) if "peak_mib" in of[work] else "does not fit"
            for work in ("forward", "training")
        ]
        for window, of in peaks.items()
    ]
    return markdown(["window", "forward, MiB", "training, MiB"], rows)


TABLES = {
    "yeast_lm": {
        "perplexities": Table(perplexities, ("models", "baselines", "n_bases")),
        "ratios": Table(ratios, ("ratios",)),
        "training": Table(training, ("models",)),
        "not_copied": Table(not_copied, ("not_copied",)),
        "protocols": Table(protocols, ("protocols",)),
        "published": Table(published, ("published",)),
    },
    "lm_throughput": {
        "throughput": Table(throughput, ("networks", "matmul_peak", "same_network")),
        "memory": Table(memory, ("memory",)),
    },
}
