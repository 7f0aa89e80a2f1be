"""Tables of what models say of held-out yeast genes and variants for the docs."""

from typing import Any

from markdown_tables import Result, Table, listed, markdown

MAIN = ("segregants", "rnaseq_wt", "half_life", "rnaseq_snf2")


def _interval(cell: dict[str, Any]) -> str:
    return f"{cell['r']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})"


def genes(result: Result) -> str:
    """A row a predictor: r across test genes of the numbers most used."""
    rows = [
        [name, *(_interval(cells[value]) for value in MAIN)]
        for name, cells in result["genes"].items()
    ]
    return markdown(["predictor", *(f"`{value}`" for value in MAIN)], rows)


def courses(result: Result) -> str:
    """A row a predictor: the mean r over the times of each course."""
    courses = ("N_downshift", "N_upshift", "Rapamycin")
    rows: list[list[str]] = []
    for name, cells in result["genes"].items():
        row = [name]
        for course in courses:
            found = [cell["r"] for value, cell in cells.items() if value.startswith(course)]
            row.append(f"{sum(found) / len(found):.3f}")
        rows.append(row)
    return markdown(["predictor", "nitrogen down", "nitrogen up", "rapamycin"], rows)


def differences(result: Result) -> str:
    """A row a predictor: how far the first run's r is above its own."""
    rows = [
        [
            name,
            *(
                f"{cells[value]['difference']:+.3f} ({cells[value]['low']:+.3f} to "
                f"{cells[value]['high']:+.3f})"
                for value in ("segregants", "rnaseq_wt")
            ),
        ]
        for name, cells in result["differences"].items()
    ]
    return markdown(["less the r of", "`segregants`", "`rnaseq_wt`"], rows)


def agreement(result: Result) -> str:
    """A row a pair of measurements."""
    rows = [[what, _interval(cell), f"{cell['n']:,}"] for what, cell in result["agreement"].items()]
    return markdown(["measured", "r", "genes"], rows)


def by_fold(result: Result) -> str:
    """A row a fold: r of each predictor for `segregants` across the genes it held out."""
    folds = result["all_folds"]["by_fold"]
    names = list(result["all_folds"]["genes"])
    rows = [
        [
            ", ".join(fold["chromosomes"]),
            f"{fold['genes']:,}",
            *(f"{fold[name]['segregants']:.3f}" for name in names),
        ]
        for fold in folds
    ]
    return markdown(["held out", "genes with a level", *names], rows)


def signal(result: Result) -> str:
    """A row a track and run: bins, across genes, within genes."""
    rows = [
        [
            f"`{track.removesuffix('+')}`",
            run,
            _interval(result["bins"][run][track]["square roots"]),
            _interval(result["bins"][run][track]["counts"]),
            _interval(result["tracks"][run][track]),
            _interval(result["within"][run][track]),
        ]
        for track in next(iter(result["tracks"].values()))
        for run in result["tracks"]
    ]
    head = ("track", "run", "bins, square roots", "bins, counts", "across genes", "within genes")
    return markdown(head, rows, text=2)


def conditions(result: Result) -> str:
    """A row a comparison: r of log2 ratios over genes."""
    runs = list(result["conditions"])
    rows = [
        [what, *(_interval(result["conditions"][run][what]) for run in runs)]
        for what in result["conditions"][runs[0]]
    ]
    return markdown(["comparison", *runs], rows)


def _variants(what: str) -> Table:
    def write(result: Result) -> str:
        found = result
        for key in what.split("/"):
            found = found[key]
        rows = [
            [
                name,
                *(
                    listed(cells[key]) if key in cells else ""
                    for key in ("auroc", "auprc", "sign", "spearman")
                ),
            ]
            for name, cells in found.items()
            if name != "n"
        ]
        n = found["n"]
        table = markdown(["score", "AUROC", "AUPRC", "direction right", "Spearman"], rows)
        null = n["positives"] / (n["positives"] + n["negatives"])
        sizes = f"{n['positives']} positives, {n['negatives']} negatives"
        return f"{sizes}; AUPRC by chance {null:.3f}.\n\n{table}"

    return Table(write, (what,))


def by_distance(result: Result) -> str:
    """A row a set and class of distance."""
    rows: list[list[str]] = []
    names: list[str] = []
    for what, classes in result["by_distance"].items():
        for distance, cells in classes.items():
            names = [name for name in cells if name != "positives"] or names
            scores = [listed(cells[name]) if name in cells else "" for name in names]
            rows.append([what, distance, str(cells["positives"]), *scores])
    return markdown(["set", "bases from the start", "positives", *names], rows, text=2)


def runs(result: Result) -> str:
    """A row a run: what it was trained with, and its r on validation genes."""
    rows = [
        [
            f"`{run['name']}`",
            run["settings"]["start"],
            f"{run['settings']['lr']:g}",
            f"{run['settings']['value_weight']:g}",
            f"{run['steps']:,}",
            f"{run['mean']:.3f}",
            f"{run['segregants']:.3f}",
        ]
        for run in result["runs"]
    ]
    head = ["run", "start", "learning rate", "weight of numbers", "step kept", "mean of r",
            "`segregants`"]  # fmt: skip
    return markdown(head, rows, text=2)


def averages(result: Result) -> str:
    """The best of averages beside the best of single runs."""
    rows = []
    for what in ("mean", "segregants"):
        single = max(result["runs"], key=lambda run: run[what])
        several = max(result["averages"], key=lambda run: run[what])
        names = ", ".join(f"`{name}`" for name in several["runs"])
        rows.append([what, f"`{single['name']}`", f"{single[what]:.3f}", names,
                     f"{several[what]:.3f}"])  # fmt: skip
    return markdown(["r", "best run", "alone", "best average", "together"], rows)


TABLES = {
    "yeast_expression": {
        "genes": Table(genes, ("genes",)),
        "courses": Table(courses, ("genes",)),
        "differences": Table(differences, ("differences",)),
        "agreement": Table(agreement, ("agreement",)),
        "genes_all": Table(lambda result: genes(result["all_folds"]), ("all_folds/genes",)),
        "differences_all": Table(
            lambda result: differences(result["all_folds"]), ("all_folds/differences",)
        ),
        "courses_all": Table(lambda result: courses(result["all_folds"]), ("all_folds/genes",)),
        "by_fold": Table(by_fold, ("all_folds/by_fold",)),
        "signal": Table(signal, ("bins",)),
        "conditions": Table(conditions, ("conditions",)),
    },
    "yeast_variants": {
        "reporter": _variants("reporter"),
        "eqtl": _variants("eqtl"),
        "by_distance": Table(by_distance, ("by_distance",)),
        "reporter_all": _variants("all_folds/reporter"),
        "eqtl_all": _variants("all_folds/eqtl"),
        "by_distance_all": Table(
            lambda result: by_distance(result["all_folds"]), ("all_folds/by_distance",)
        ),
    },
    "yeast_settings": {
        "runs": Table(runs, ("runs",)),
        "averages": Table(averages, ("averages",)),
    },
}
