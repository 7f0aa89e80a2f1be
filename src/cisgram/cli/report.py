"""`cisgram report`: one HTML page about models of one cohort."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cisgram.cli.claims import Overwrite
from cisgram.cli.options import say


def report(
    *fits: Path,
    out: Path = Path("report.html"),
    evaluation: Annotated[tuple[Path, ...], Parameter(negative=())] = (),
    title: str = "Expression across people",
    note: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    overwrite: Overwrite = False,
) -> None:
    """Write one self-contained HTML page about models of one cohort.

    Args:
        fits: Directories made by `cisgram personal fit`, one a model; the page leads
            with the first.
        out: File to write.
        evaluation: What `cisgram personal evaluate --json` wrote of further tasks, such
            as other populations or permuted genotypes; may be given more than once.
        title: What the page is about.
        note: A sentence to show under the answer; may be given more than once.
    """
    from cisgram.personal.fit import Fit
    from cisgram.report.data import read_evaluations
    from cisgram.report.html import build_report

    opened = [Fit.open(path) for path in fits]
    build_report(opened, read_evaluations(evaluation), out, title=title, notes=note)
    size = out.stat().st_size / 1e6
    say(f"The report is {out} ({size:.1f} MB); open it in a browser.", wrap=False)
