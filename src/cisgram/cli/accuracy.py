"""Accuracy of models across people, as the terminal shows it."""

from typing import TYPE_CHECKING

from cisgram.cli.options import say
from cisgram.personal.fit_config import CROSS_POPULATION

if TYPE_CHECKING:
    from cisgram.personal.evaluate import Evaluation
    from cisgram.personal.fit import Fit


def show_evaluation(evaluation: "Evaluation") -> None:
    """Print the table of models."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from cisgram.cli.terminal import Terminal

    first = evaluation.models[0]
    title = f"Task: {first.task} ({first.n_genes:,} genes, {first.n_people:,} people held out)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("model", "mean r", "95% interval", "median r", "mean R2", "r < 0", "accepted"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for row in evaluation.models:
        table.add_row(
            row.model,
            f"{row.mean_pearson:.3f}",
            _interval(row.ci95, ".3f"),
            f"{row.median_pearson:.3f}",
            f"{row.mean_r2:.3f}",
            f"{row.share_negative:.0%}",
            f"{row.n_accepted:,}",
        )
    Terminal().print(table)
    if first.task.startswith(CROSS_POPULATION) and first.mean_r2 < 0:
        say(
            "R2 below 0 beside a positive r is a shifted level: covariates were regressed out "
            "with coefficients of other populations."
        )
    for difference in evaluation.differences:
        say(
            f"{difference.model} - {difference.baseline}: {difference.mean_difference:+.3f} "
            f"({_interval(difference.ci95, '+.3f')}), "
            f"better in {difference.share_better:.0%} of genes"
        )


def _interval(ends: tuple[float, float], digits: str) -> str:
    """Write an interval over genes; one gene has none."""
    low, high = ends
    return "no interval" if low != low else f"{low:{digits}} to {high:{digits}}"


def show_fit(result: "Fit") -> None:
    """Print the accuracy of a fit in a sentence."""
    from cisgram.personal.evaluate import summarize

    if result.genes["pearson"].is_null().all():
        say(
            f"{result.config.model}, {result.task}: none of the {len(result.genes):,} genes could "
            "be scored; they need SNPs in the cis window and expression that varies in every fold.",
            f"What was fitted is in {result.path}",
            wrap=False,
        )
        return
    summary = summarize(result)
    say(
        f"{summary.model}, {summary.task}: mean r {summary.mean_pearson:.3f} "
        f"({_interval(summary.ci95, '.3f')}) over {summary.n_genes:,} genes in "
        f"{summary.n_people:,} people held out; {summary.n_accepted:,} models accepted, "
        f"{summary.n_unscored:,} genes not scored.",
        f"Models, held-out predictions and accuracy are in {result.path}",
        wrap=False,
    )
