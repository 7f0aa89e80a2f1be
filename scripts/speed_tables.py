"""Tables of speed for the docs, from elastic_net_solver.json and haplotype_windows.json."""

import statistics
from collections.abc import Sequence

from markdown_tables import Result, Table, markdown, seconds, times

from cisgram.report.words import commas


def solver_headline(result: Result) -> str:
    """One paragraph."""
    return (
        f"On {result['n_genes']} genes and {result['n_people']} people, one thread each: "
        f"{times(result['speedup_vs_sklearn'])} times as fast as scikit-learn's ElasticNetCV, "
        f"{times(result['speedup_vs_adelie'])} times as fast as the faster adelie "
        f"({result['best_adelie']}) and {times(result['speedup_vs_glmnet'])} times as fast as the "
        f"faster glmnet binding ({result['best_glmnet']}), medians of the ratio gene by gene. With "
        f"the whole path walked on both sides: {times(result['speedup_vs_sklearn_whole_path'])} "
        f"times scikit-learn and {times(result['speedup_vs_adelie_whole_path'])} times adelie. "
        "The cross-validated *R*² differs from theirs by at most "
        f"{result['max_abs_cv_r2_difference']:.1e}."
    )


def _solvers(result: Result, ratio: str) -> str:
    part = result["strength_ratio"][ratio]
    rows = []
    for name, row in part["summary"].items():
        ours = name.startswith("cisgram")
        faster = (
            row.get(f"times_slower_than_{us}", {}).get("median")
            for us in ("cisgram", "cisgram_whole_path")
        )
        apart = row.get("max_abs_cv_r2_difference_from_cisgram")
        version = next(iter(part["genes"]))["solvers"][name].get("version", "")
        rows.append(
            (
                f"**{name}**" if ours else f"{name} {version}".strip(),
                seconds(row["median_seconds"]),
                *("" if ratio is None else times(ratio) for ratio in faster),
                "" if apart is None else f"{apart:.1e}",
            )
        )
    snps = statistics.median(gene["n_snps"] for gene in part["genes"])
    head = ("solver", "median s a gene", "times ours", "times ours, whole path",
            "largest CV *R*² difference")  # fmt: skip
    said = f"{len(part['genes'])} genes, {commas(round(snps))} SNPs in the median window."
    return f"{said}\n\n" + markdown(head, rows)


def solvers(result: Result) -> str:
    """The path that PrediXcan walks, to a hundredth of the first strength."""
    return _solvers(result, "0.01")


def long_path(result: Result) -> str:
    """A path to a thousandth."""
    return _solvers(result, "0.001")


def stopping(result: Result) -> str:
    """What leaving the path early changes."""
    found = result["stopping_early"]
    return (
        f"Over {commas(found['n_genes'])} genes, leaving the path early chose the strength of the "
        f"whole path in {commas(found['n_same_strength'])}; the largest difference in "
        f"cross-validated *R*² was {found['max_abs_cv_r2_difference']:.1e}."
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
        f"{result['people']} people, {commas(result['variants'])} variants: at least "
        f"{times(result['ratio_vs_genvarloader'])} times genvarloader "
        f"{result['versions']['genvarloader']} as tokens and at least "
        f"{times(result['ratio_vs_genvarloader_onehot'])} times genvarloader with seqpro "
        f"{result['versions']['seqpro']} as one-hot, the worse of two window lengths each; outputs "
        "compared byte by byte before the clock starts."
    )


def windows(result: Result) -> str:
    """Windows a second, ours and theirs."""
    rows = [
        (
            f"{row['output']}, {commas(row['length'])} bp",
            commas(round(row["windows_per_second"])),
            commas(round(row["windows_per_second_reused_memory"])),
            commas(round(row["peer_windows_per_second"])),
            times(row["ratio"]),
            times(row["ratio_reused_memory"]),
        )
        for row in result["comparisons"]
    ]
    head = ("output", "cisgram /s", "into memory given /s", "genvarloader /s", "ratio",
            "ratio, memory given")  # fmt: skip
    quotes = result["ratio_quotes"]
    return markdown(head, rows) + f"\n\n{quotes[0].upper()}{quotes[1:]}, unless said otherwise."


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


def windows_machine(result: Result) -> str:
    """Where it was measured."""
    where, versions = result["machine"], result["versions"]
    return (
        f"Measured on {where['cores']} cores of {where['cpu']}, Python {where['python']}, numba "
        f"{versions['numba']}. Import of the VCF took {seconds(result['import_seconds'])} s."
    )


TABLES: dict[str, dict[str, Table]] = {
    "elastic_net_solver": {
        "headline": solver_headline,
        "solvers": solvers,
        "long_path": long_path,
        "stopping": stopping,
        "by_window": by_window,
        "by_people": by_people,
        "machine": solver_machine,
    },
    "haplotype_windows": {
        "headline": windows_headline,
        "windows": windows,
        "by_people": windows_by_people,
        "by_length": windows_by_length,
        "machine": windows_machine,
    },
}
