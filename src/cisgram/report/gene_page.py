"""One HTML file about one gene, explained from its sequence."""

from datetime import UTC, datetime
from pathlib import Path

from cisgram.core.artifact import atomic_file
from cisgram.report.gene_section import GeneSection
from cisgram.report.templates import fill


def write_gene_page(gene: GeneSection, out: Path) -> None:
    """Write the page whole or not at all; it is self-contained, with no address outside itself.

    Raises:
        DataError: `out` cannot be written.
    """
    values: dict[str, object] = {"date": datetime.now(UTC).strftime("%Y-%m-%d")}
    page = fill("gene_page.html.jinja", values, gene=gene)
    with atomic_file(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
