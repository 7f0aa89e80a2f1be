"""Tables of speed for the docs, from elastic_net_solver.json and haplotype_windows.json."""

import statistics
from collections.abc import Callable, Sequence

from markdown_tables import Result, Table, markdown, seconds, times, tiny

from cisgram.report.words import commas

OURS = ("cisgram", "cisgram_whole_path")
"""Ends of the keys of ratios: with and without leaving the path early."""
HEADLINE = (
    "n_genes",
    "n_people",
    "speedup_vs_sklearn",
    "speedup_vs_adelie",
    "speedup_vs_glmnet",
    "speedup_vs_sklearn_whole_path",
    "speedup_vs_adelie_whole_path",
    "speedup_vs_glmnet_whole_path",
    "max_abs_cv_r2_difference",
    "best_adelie",
    "best_glmnet",
)


def solver_headline(result: Result) -> str:
    """One paragraph."""
    return (
        f"On {result['n_genes']} genes and {result['n_people']} people, one thread each: "
        f"{times(result['speedup_vs_sklearn'])} times as fast as scikit-learn's ElasticNetCV, "
        f"{times(result['speedup_vs_adelie'])} times as fast as the faster adelie "
        f"({result['best_adelie']}) and {times(result['speedup_vs_glmnet'])} times as fast as the "
        f"faster glmnet binding ({result['best_glmnet']}), medians of the ratio gene by gene. With "
        f"the whole path walked on both sides: {times(result['speedup_vs_sklearn_whole_path'])} "
        f"times scikit-learn, {times(result['speedup_vs_adelie_whole_path'])} times adelie and "
        f"{times(result['speedup_vs_glmnet_whole_path'])} times glmnet. "
        "The cross-validated *R*² differs from theirs by at most "
        f"{tiny(result['max_abs_cv_r2_difference'])}."
    )


def _solvers(ratio: str) -> Table:
    """Compare the solvers on a path from the first strength to `ratio` of it."""
    return Table(lambda result: _compared(result["strength_ratio"][ratio]), (_path(ratio),))


def _path(ratio: str) -> str:
    return f"strength_ratio/{ratio}"


def _compared(part: Result) -> str:
    rows = []
    summary = sorted(part["summary"].items(), key=lambda item: not item[0].startswith("cisgram"))
    for name, row in summary:
        ours = name.startswith("cisgram")
        ratios = [row.get(f"times_slower_than_{us}", {}) for us in OURS]
        apart = row.get("max_abs_cv_r2_difference_from_cisgram")
        version = next(iter(part["genes"]))["solvers"][name].get("version", "")
        rows.append(
            (
                f"**{name}**" if ours else f"{name} {version}".strip(),
                seconds(row["median_seconds"]),
                *("" if ours else times(ratio["median"]) for ratio in ratios),
                "" if ours else times(ratios[0]["of_totals"]),
                "" if apart is None else tiny(apart),
            )
        )
    snps = statistics.median(gene["n_snps"] for gene in part["genes"])
    head = ("solver", "median s a gene", "times ours", "times ours, whole path",
            "times ours, all genes together", "largest CV *R*² difference")  # fmt: skip
    said = f"{len(part['genes'])} genes, {commas(round(snps))} SNPs in the median window."
    return f"{said}\n\n" + markdown(head, rows)


def stopping(result: Result) -> str:
    """What leaving the path early changes."""
    found = result["stopping_early"]
    return (
        f"Over {commas(found['n_genes'])} genes, leaving the path early chose the strength of the "
        f"whole path in {commas(found['n_same_strength'])}; the largest difference in "
        f"cross-validated *R*² was {tiny(found['max_abs_cv_r2_difference'])}."
    )


def _solver_scaling(rows: Sequence[Result], key: str, label: str) -> str:
    head = (label, "median SNPs", "median s a gene")
    return markdown(
        head,
        [
            (commas(row[key]), commas(round(row["median_snps"])), seconds(row["median_seconds"]))
            for row in rows
        ],
    )


def by_window(result: Result) -> str:
    """Time against the window."""
    return _solver_scaling(result["scaling"]["by_window"], "window", "bases on each side")


def by_people(result: Result) -> str:
    """Time against the people."""
    table = _solver_scaling(result["scaling"]["by_people"], "n_people", "people")
    note = result["scaling"]["note"]
    return f"{table}\n\n{note[0].upper()}{note[1:]}."


def solver_machine(result: Result) -> str:
    """Where it was measured."""
    where = result["machine"]
    return f"Measured on {where['cpu']}, Python {where['python']}, numpy {where['numpy']}."


def windows_headline(result: Result) -> str:
    """One paragraph."""
    return (
        f"{result['people']} people, {commas(result['variants'])} variants, the worst of all cases "
        f"below: as tokens {times(result['ratio_vs_genvarloader'])} times the rate of genvarloader "
        f"{result['versions']['genvarloader']}, as one-hot "
        f"{times(result['ratio_vs_genvarloader_onehot'])} times that of genvarloader with seqpro "
        f"{result['versions']['seqpro']}. Outputs are compared byte by byte first."
    )


def windows(result: Result) -> str:
    """Windows a second, ours and theirs."""
    by_threads = any("threads" in row for row in result["comparisons"])
    columns: dict[str, Callable[[Result], str]] = {
        "output": lambda row: f"{row['output']}, {commas(row['length'])} bp",
        "threads": lambda row: str(row.get("threads", "all")),
        "cisgram /s": lambda row: commas(round(row["windows_per_second"])),
        "into memory given /s": lambda row: commas(round(row["windows_per_second_reused_memory"])),
        "genvarloader /s": lambda row: commas(round(row["peer_windows_per_second"])),
        "ratio": lambda row: times(row["ratio"]),
        "ratio, memory given": lambda row: times(row["ratio_reused_memory"]),
    }
    if not by_threads:
        del columns["threads"]
    rows = [[write(row) for write in columns.values()] for row in result["comparisons"]]
    quotes = result["ratio_quotes"]
    return markdown(list(columns), rows) + f"\n\nThe ratio: {quotes}."


def _window_scaling(rows: Sequence[Result], key: str, label: str) -> str:
    rate = [(commas(row[key]), commas(round(row["windows_per_second"])),
             f"{row['windows_per_second'] * row['length'] / 1e9:.1f}") for row in rows]  # fmt: skip
    return markdown((label, "windows /s", "Gbase /s"), rate)


def windows_by_people(result: Result) -> str:
    """Tokens of 16 kb for more people."""
    return _window_scaling(result["scaling"]["people"], "people", "people")


def windows_by_length(result: Result) -> str:
    """Tokens of everybody for longer windows."""
    return _window_scaling(result["scaling"]["length"], "length", "bases")


def windows_by_variants(result: Result) -> str:
    """Tokens of everybody's longest windows with more of the variants."""
    return _window_scaling(result["scaling"]["variants"], "variants", "variants of the chromosome")


def windows_machine(result: Result) -> str:
    """Where it was measured."""
    where, versions = result["machine"], result["versions"]
    return (
        f"Measured on {where['cores']} cores of {where['cpu']}, Python {where['python']}, numba "
        f"{versions['numba']}. Import of the VCF took {seconds(result['import_seconds'])} s."
    )


TABLES = {
    "elastic_net_solver": {
        "headline": Table(solver_headline, HEADLINE),
        "solvers": _solvers("0.01"),
        "short_path": _solvers("0.1"),
        "long_path": _solvers("0.001"),
        "stopping": Table(stopping, ("stopping_early",)),
        "by_window": Table(by_window, ("scaling/by_window",)),
        "by_people": Table(by_people, ("scaling/by_people", "scaling/note")),
        "machine": Table(solver_machine, ("machine",)),
    },
    "haplotype_windows": {
        "headline": Table(
            windows_headline,
            ("ratio_vs_genvarloader", "ratio_vs_genvarloader_onehot", "versions", "variants"),
        ),
        "windows": Table(windows, ("comparisons", "ratio_quotes")),
        "by_people": Table(windows_by_people, ("scaling/people",)),
        "by_length": Table(windows_by_length, ("scaling/length",)),
        "by_variants": Table(windows_by_variants, ("scaling/variants",)),
        "machine": Table(windows_machine, ("machine", "versions", "import_seconds")),
    },
}
