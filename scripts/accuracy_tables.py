"""Tables of accuracy for the docs, from geuvadis_linear.json and demo.json."""

import contextlib
import io
import os
import statistics

from markdown_tables import Result, Table, markdown, seconds

from cisgram.cli.personal import show_evaluation
from cisgram.core.metrics import binomial_ci
from cisgram.personal.evaluate import (
    Evaluation,
    ModelAccuracy,
    ModelDifference,
    PopulationAccuracy,
)
from cisgram.report.words import commas, interval, model_label, number, percent

PUBLISHED = (
    ("PrediXcan, Huang et al. 2023", "0.25 (Spearman)", "3,259 European eGenes", "421", "197 kb"),
    ("elastic net, Rastogi et al. 2026", "0.283", "200 European eGenes", "77 of 421", "49 kb"),
    ("BLUP, Rastogi et al. 2026", "0.283", "200 European eGenes", "77 of 421", "49 kb"),
    ("top SNP, Rastogi et al. 2026", "0.259", "200 European eGenes", "77 of 421", "49 kb"),
    ("elastic net, SAGE-net (brain)", "0.107", "all 19,169 genes", "85 of 859", "40 kb"),
)
"""Model and source, mean correlation, genes, people held out, window in all."""


def _rate(accepted: int, n: int) -> str:
    estimate = binomial_ci(accepted, n)
    low, high = (f"{100 * end:.1f}" for end in (estimate.low, estimate.high))
    return f"{100 * estimate.value:.1f}% ({low} to {high})"


def models(result: Result) -> str:
    """Accuracy of the models on all genes."""
    rows = result["models"]
    head = ("model", "mean *r*", "95% interval", "median *r*", "mean Spearman", "mean *R*²",
            "*r* < 0", "accepted", "s a gene")  # fmt: skip
    task = (
        f"Task: {rows[0]['task']}. {commas(rows[0]['n_genes'])} genes, "
        f"{commas(rows[0]['n_people'])} people, each held out once; at least "
        f"{commas(rows[0]['n_train'])} to learn from."
    )
    return f"{task}\n\n" + markdown(head, [_model_row(row) for row in rows])


def _model_row(row: Result) -> tuple[str, ...]:
    return (
        model_label(row["model"]),
        number(row["mean_pearson"]),
        interval(row["ci95"]),
        number(row["median_pearson"]),
        number(row["mean_spearman"]),
        number(row["mean_r2"]),
        percent(row["share_negative"]),
        f"{commas(row['n_accepted'])} ({percent(row['accepted_rate'])})",
        seconds(row["median_seconds"]),
    )


def differences(result: Result) -> str:
    """Paired differences from the first model."""
    return markdown(
        ("difference", "mean *r*", "95% interval", "better in"),
        [
            (
                f"{model_label(row['model'])} less {model_label(row['baseline'])}",
                number(row["mean_difference"]),
                interval(row["ci95"]),
                f"{percent(row['share_better'])} of genes",
            )
            for row in result["differences"]
        ],
    )


def published(result: Result) -> str:
    """Ours beside published numbers."""
    first = result["models"][0]
    people = f"{first['n_people']} of {first['n_people']}"
    ours = [
        (
            f"**{model_label(row['model'])}, here**",
            f"**{number(row['mean_pearson'])}** (Spearman {number(row['mean_spearman'])})",
            f"all {commas(row['n_genes'])} of the table",
            people,
            "2 Mb + gene",
        )
        for row in result["models"]
        if row["model"] in ("elastic-net", "ridge", "top-snp")
    ]
    head = ("model", "mean correlation", "genes", "people held out", "window")
    return markdown(head, [*ours, *PUBLISHED])


def permuted(result: Result) -> str:
    """What passes the acceptance rule by chance."""
    rows = []
    for model in dict.fromkeys(row["model"] for row in result["permuted"]):
        runs = [row for row in result["permuted"] if row["model"] == model]
        n_accepted, n = (sum(run[key] for run in runs) for key in ("n_accepted", "n_genes"))
        mean = statistics.mean(run["mean_pearson"] for run in runs)
        rows.append((model_label(model), commas(n), _rate(n_accepted, n), number(mean)))
    return markdown(("model", "genes x permutations", "accepted (95% interval)", "mean *r*"), rows)


def leave_out(result: Result) -> str:
    """Training without a population, scored in it."""
    rows = []
    for population, found in result["leave_out"].items():
        for row in found["models"]:
            within = found["same_people_when_trained_on"][row["model"]]
            rows.append(
                (
                    f"{population}, {model_label(row['model'])}",
                    commas(row["n_train"]),
                    commas(row["n_people"]),
                    f"{number(row['mean_pearson'])} ({interval(row['ci95'])})",
                    f"{number(within['mean_pearson'])} ({interval(within['ci95'])})",
                    commas(row["n_accepted"]),
                )
            )
    task = next(iter(result["leave_out"].values()))["models"][0]["task"]
    head = ("left out", "learnt from", "scored", "mean *r*, left out",
            "mean *r*, same people, not left out", "accepted")  # fmt: skip
    return f"Task: {task}.\n\n" + markdown(head, rows)


def populations(result: Result) -> str:
    """Accuracy within each population."""
    names = [(part["population"], part["n_people"]) for part in result["models"][0]["populations"]]
    head = ("model", *(f"{name} ({n})" for name, n in names))
    rows = [
        (model_label(row["model"]), *(number(part["mean_pearson"]) for part in row["populations"]))
        for row in result["models"]
    ]
    return markdown(head, rows)


def normalisation(result: Result) -> str:
    """What fitting the normalisation on everybody adds."""
    rows = [
        (
            row["normalisation"],
            number(row["mean_pearson"]),
            interval(row["ci95"]),
            number(row["mean_r2"]),
            commas(row["n_accepted"]),
            _added(row.get("pearson_added_by_leak")),
        )
        for row in result["normalisation"]
    ]
    head = ("elastic net, normalised with", "mean *r*", "95% interval", "mean *R*²", "accepted",
            "added by the leak (95% interval)")  # fmt: skip
    return markdown(head, rows)


def _added(leak: Result | None) -> str:
    if leak is None:
        return ""
    return f"{number(leak['value'], 4)} ({interval((leak['low'], leak['high']), 4)})"


def tuning(result: Result) -> str:
    """The cross-validated R2 that chose the strength beside the held-out one."""
    rows = [
        (model_label(row["model"]), number(row["mean_cv_r2"]), number(row["mean_r2"]))
        for row in result["models"]
        if row["mean_cv_r2"] is not None
    ]
    head = ("model", "mean *R*² on the folds that chose the strength", "mean *R*² held out")
    return markdown(head, rows)


def tasks(result: Result) -> str:
    """Two tasks, one set of predictions."""
    head = ("model", "across people, seen genes", "per person, across genes")
    rows = [
        (model_label(row["model"]), number(row["mean_pearson"]),
         number(row["mean_pearson_per_person"]))
        for row in result["models"]
    ]  # fmt: skip
    return markdown(head, rows)


def demo_printed(result: Result) -> str:
    """What `cisgram demo` prints, to the letter."""
    rows = [
        ModelAccuracy(
            **row | {"populations": [PopulationAccuracy(**p) for p in row["populations"]]}
        )
        for row in result["models"]
    ]
    gaps = [ModelDifference(**row) for row in result["differences"]]
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            show_evaluation(Evaluation(tuple(rows), tuple(gaps)))
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    lines = (line.rstrip() for line in printed.getvalue().strip("\n").splitlines())
    return "```text\n" + "\n".join(lines) + "\n```"


TABLES: dict[str, dict[str, Table]] = {
    "geuvadis_linear": {
        "models": models,
        "differences": differences,
        "published": published,
        "permuted": permuted,
        "leave_out": leave_out,
        "populations": populations,
        "normalisation": normalisation,
        "tuning": tuning,
        "tasks": tasks,
    },
    "demo": {"printed": demo_printed},
}
