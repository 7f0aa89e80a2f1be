"""One HTML file that shows how well expression is predicted across people, and how."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from cisgram.core.artifact import atomic_directory
from cisgram.explain.gene import GeneExplanation
from cisgram.personal.evaluate import ModelAccuracy, PopulationAccuracy
from cisgram.personal.fit import Fit
from cisgram.report import words
from cisgram.report.data import ReportData, gather
from cisgram.report.pack import choose_detail, pack
from cisgram.report.templates import asset, fill, write_page

_SCRIPTS = ("data.js", "draw.js", "overview.js", "table.js", "gene.js", "main.js")
_PAGE = "report.html"


def build_report(
    fits: Sequence[Fit],
    evaluation: Mapping[str, Any] | None,
    out: Path,
    *,
    title: str = "Expression across people",
    notes: Sequence[str] = (),
    gene: GeneExplanation | None = None,
) -> ReportData:
    """Write the report of fits of one cohort to `out`; the page leads with the first fit.

    `evaluation` is what `cisgram personal evaluate --json` wrote of further tasks, such as
    the null or other populations; see `gather`. Each of `notes` is shown under the answer. A
    `gene` that was read from its sequence has a section of its own.

    Raises:
        ConfigError: no fit, or two of one model.
        DataError: the fits do not belong together, or `out` cannot be written.
    """
    data = gather(fits, evaluation, title=title, notes=notes)
    write_report(data, out, gene=gene)
    return data


def write_report(data: ReportData, out: Path, *, gene: GeneExplanation | None = None) -> None:
    """Write the page whole or not at all."""
    write_page(render(data, gene=gene), out)


def render(data: ReportData, *, gene: GeneExplanation | None = None) -> str:
    """Return the page: self-contained, with no address outside itself."""
    detail = choose_detail(data)
    scripts = "\n".join(asset(name) for name in _SCRIPTS)
    values: dict[str, object] = {
        "data": data,
        "lead": data.accuracies[0],
        "config": data.models[0].config,
        "baseline": _baseline(data),
        "settings": words.settings([model.config for model in data.models]),
        "choices": words.choices([model.config.model for model in data.models]),
        "populations": words.population_counts(data.populations),
        "chromosomes": words.chromosomes(data.genes["chrom"].to_list()),
        "n_detailed": len(detail.genes),
        "n_shown": len(detail.people),
        "script": Markup(f'(() => {{\n"use strict";\n{scripts}\n}})();'),
        "payload": _embedded(pack(data, detail) | _figures(data)),
    }
    return fill("page.html.jinja", values, gene=gene)


def _baseline(data: ReportData) -> ModelAccuracy | None:
    named = {accuracy.model: accuracy for accuracy in data.accuracies}
    return named[data.comparison.model] if data.comparison else None


def _figures(data: ReportData) -> dict[str, Any]:
    """Return what the figures over all genes draw."""
    return {
        "overFolds": not data.models[0].config.train_populations,
        "labels": [words.model_label(accuracy.model) for accuracy in data.accuracies],
        "summaries": [
            _estimate(accuracy) | {"negative": _plain(accuracy.share_negative)}
            for accuracy in data.accuracies
        ],
        "byPopulation": [
            _estimate(part) | {"model": row, "population": part.population, "people": part.n_people}
            for row, accuracy in enumerate(data.accuracies)
            for part in accuracy.populations
        ],
    }


def _estimate(accuracy: ModelAccuracy | PopulationAccuracy) -> dict[str, Any]:
    return {
        "mean": _plain(accuracy.mean_pearson),
        "interval": [_plain(end) for end in accuracy.ci95],
    }


def _plain(value: float) -> float | None:
    return None if value != value else round(value, 5)


def _embedded(content: Mapping[str, Any]) -> Markup:
    """Write JSON that cannot end the script element it stands in."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def write_gene_page(gene: GeneExplanation, directory: Path) -> Path:
    """Write report.html about one gene, with the files of its sections beside it."""
    with atomic_directory(directory) as building:
        for section in gene.sections:
            section.write(building)
        write_page(fill("gene_page.html.jinja", {}, gene=gene), building / _PAGE)
    return directory / _PAGE
