"""Tables of accuracy for the docs, from geuvadis_linear.json and demo.json."""

import contextlib
import io
import os
from collections.abc import Iterable
from unittest.mock import patch

from markdown_tables import Result, Table, markdown, seconds

from cisgram.cli.personal import show_evaluation
from cisgram.personal.evaluate import (
    PER_PERSON,
    Evaluation,
    ModelAccuracy,
    ModelDifference,
    PopulationAccuracy,
)
from cisgram.report.words import commas, interval, model_label, number, percent

PUBLISHED = (
    ("PrediXcan, Huang 2023", "Spearman 0.25", "3,259 eGenes", "421", "197 kb", "10 PEER factors"),
    ("elastic net, Rastogi 2026", "0.283", "200 eGenes", "77 of 421", "49 kb", "10 expression PCs"),
    ("BLUP, Rastogi 2026", "0.283", "200 eGenes", "77 of 421", "49 kb", "10 expression PCs"),
    ("top SNP, Rastogi 2026", "0.259", "200 eGenes", "77 of 421", "49 kb", "10 expression PCs"),
    (
        "elastic net, SAGE-net",
        "0.107",
        "all 19,169",
        "85 of 859",
        "40 kb",
        "not in the source, brain",
    ),
)
"""Model and source, mean Pearson unless said, genes, people scored, window, covariates."""
PUBLISHED_ACROSS = (
    ("elastic net", "0.160", "0.283"),
    ("BLUP", "0.162", "0.283"),
    ("top SNP", "0.148", "0.259"),
)
"""Rastogi et al. 2026: from Europeans to Yoruba, and the random split of other genes."""


def _task(rows: Iterable[Result]) -> str:
    return "Task: " + "; ".join(dict.fromkeys(row["task"] for row in rows)) + "."


def _by_model(rows: Iterable[Result] | None) -> dict[str, Result]:
    return {row["model"]: row for row in rows or ()}


def _rate(share: float, ends: tuple[float, float]) -> str:
    low, high = (f"{100 * end:.1f}" for end in ends)
    return f"{100 * share:.1f}% ({low} to {high})"


def _whom(row: Result) -> str:
    return (
        f"{commas(row['n_genes'])} genes, {commas(row['n_people'])} people, each held out once by "
        f"a model that learnt from at least {commas(row['n_train'])} others."
    )


def brief(result: Result) -> str:
    """The models in a few columns, beside what passes by chance."""
    rows, null = result["models"], _by_model(result.get("null_acceptance"))
    head = ["model", "mean *r* (95% interval)", "median *r*", "accepted"]
    if null:
        head.append("accepted by chance (95% interval)")
    written = [
        [
            model_label(row["model"]),
            f"{number(row['mean_pearson'])} ({interval(row['ci95'])})",
            number(row["median_pearson"]),
            percent(row["accepted_rate"]),
            *(_accepted(null[row["model"]]) for _ in head[4:]),
        ]
        for row in rows
    ]
    return f"{_task(rows)} {_whom(rows[0])}\n\n" + markdown(head, written)


def _accepted(row: Result) -> str:
    return _rate(row["accepted_rate"], row["accepted_ci95"])


def models(result: Result) -> str:
    """Accuracy of the models on all genes."""
    rows = result["models"]
    head = ("model", "mean *r*", "95% interval", "median *r*", "mean Spearman", "mean *R*²",
            "*r* < 0", "accepted")  # fmt: skip
    written = [
        (
            model_label(row["model"]),
            number(row["mean_pearson"]),
            interval(row["ci95"]),
            number(row["median_pearson"]),
            number(row["mean_spearman"]),
            number(row["mean_r2"]),
            percent(row["share_negative"]),
            f"{commas(row['n_accepted'])} ({percent(row['accepted_rate'])})",
        )
        for row in rows
    ]
    return f"{_task(rows)} {_whom(rows[0])}\n\n" + markdown(head, written)


def gene_seconds(result: Result) -> str:
    """How long a gene takes."""
    rows = result["seconds_per_gene"]
    head = ("model", "median s a gene", "mean s a gene")
    written = [
        (model_label(row["model"]), seconds(row["median_seconds"]), seconds(row["mean_seconds"]))
        for row in rows
    ]
    said = f"{commas(rows[0]['n_genes'])} genes, all folds and the final model, one thread."
    return f"{said}\n\n" + markdown(head, written)


def differences(result: Result) -> str:
    """Paired differences from the first model."""
    table = markdown(
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
    return f"{_task(result['models'])}\n\n{table}"


def published(result: Result) -> str:
    """Ours beside published numbers."""
    people = f"{result['models'][0]['n_people']} of {result['models'][0]['n_people']}"
    ours = [
        (
            f"**{model_label(row['model'])}, here**",
            f"**{number(row['mean_pearson'])}**, Spearman {number(row['mean_spearman'])}",
            f"all {commas(row['n_genes'])}",
            people,
            "2,000 kb",
            "3 genotype, 50 expression PCs",
        )
        for row in result["models"]
        if row["model"] in ("elastic-net", "ridge", "top-snp")
    ]
    head = ("model", "mean correlation", "genes", "people scored", "window in all",
            "covariates, tissue")  # fmt: skip
    return f"{_task(result['models'])}\n\n" + markdown(head, [*ours, *PUBLISHED], text=6)


def published_across(result: Result) -> str:
    """Published accuracy in a population not learnt from."""
    row = next(iter(result["leave_out"].values()))["models"][0]
    usual = result["models"][0]["task"]
    head = ("model", "mean *r*, Europeans to Yoruba", "mean *r*, random split of other genes")
    said = f"Task: {row['task']}; the last column is of the task {usual}."
    return f"{said}\n\n" + markdown(head, PUBLISHED_ACROSS)


def null(result: Result) -> str:
    """What passes by chance."""
    rows = [
        (
            model_label(row["model"]),
            commas(row["n_tests"]),
            _rate(row["p_below_005"], row["p_below_005_ci95"]),
            _accepted(row),
        )
        for row in result["null_acceptance"]
    ]
    head = ("model", "genes x permutations", "*p* < 0.05 (nominal 5%)",
            "accepted (nominal 2.5%)")  # fmt: skip
    return f"{_task(result['permuted'])} 95% intervals in brackets.\n\n" + markdown(head, rows)


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
                    number(row["mean_r2"]),
                    commas(row["n_accepted"]),
                )
            )
    task = next(iter(result["leave_out"].values()))["models"][0]["task"]
    usual = result["models"][0]["task"]
    head = ("left out", "learnt from", "scored", "mean *r*, left out",
            "mean *r*, same people, not left out", "mean *R*², left out", "accepted")  # fmt: skip
    said = f'Task: {task}; the column "not left out" is of the task {usual}.'
    return f"{said}\n\n" + markdown(head, rows)


def populations(result: Result) -> str:
    """Accuracy within each population."""
    names = [(part["population"], part["n_people"]) for part in result["models"][0]["populations"]]
    head = ("model", *(f"{name} ({n})" for name, n in names))
    rows = [
        (model_label(row["model"]), *(number(part["mean_pearson"]) for part in row["populations"]))
        for row in result["models"]
    ]
    return f"{_task(result['models'])}\n\n" + markdown(head, rows)


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
    return f"{_task(result['normalisation'])}\n\n" + markdown(head, rows)


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
    return f"{_task(result['models'])}\n\n" + markdown(head, rows)


def tasks(result: Result) -> str:
    """Two tasks, one set of predictions."""
    head = ("model", f"task: {result['models'][0]['task']}", f"task: {PER_PERSON}")
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
    environment = patch.dict(os.environ, {"COLUMNS": "100"}, clear=True)  # no colours asked for
    with environment, contextlib.redirect_stdout(io.StringIO()) as printed:
        show_evaluation(Evaluation(tuple(rows), tuple(gaps)))
    lines = (line.rstrip() for line in printed.getvalue().strip("\n").splitlines())
    return "```text\n" + "\n".join(lines) + "\n```"


def demo_promoter(result: Result) -> str:
    """What the packaged language model expects at the known sites of the demo's promoter."""
    found = result["promoter"]
    rows = [
        [site["name"], f"`{site['dna']}`", f"`{site['expected']}`", f"{site['information']:.2f}"]
        for site in found["sites"]
    ]
    rows.append(["elsewhere", "", "", f"{found['information']:.2f}"])
    head = ("known site", "DNA", "expected while hidden", "bits a base")
    return (
        f"{markdown(head, rows, text=3)}\n\nThe likeliest base is the true one at "
        f"{found['right']:.0%} of {found['n_known']} bases; saying {found['commonest']}, the "
        f"commonest here, at {found['right_by_commonest']:.0%}. Small letters: less sure than 0.5."
    )


TABLES = {
    "geuvadis_linear": {
        "brief": Table(brief, ("models",)),
        "models": Table(models, ("models",)),
        "seconds": Table(gene_seconds, ("seconds_per_gene",)),
        "differences": Table(differences, ("models", "differences")),
        "published": Table(published, ("models",)),
        "published_across": Table(published_across, ("leave_out", "models")),
        "null": Table(null, ("null_acceptance", "permuted")),
        "leave_out": Table(leave_out, ("leave_out", "models")),
        "populations": Table(populations, ("models",)),
        "normalisation": Table(normalisation, ("normalisation",)),
        "tuning": Table(tuning, ("models",)),
        "tasks": Table(tasks, ("models",)),
    },
    "demo": {
        "printed": Table(demo_printed, ("models", "differences")),
        "promoter": Table(demo_promoter, ("promoter",)),
    },
}
