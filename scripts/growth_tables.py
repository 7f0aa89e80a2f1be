"""Tables of growth with people for the docs, from growth.json."""

from markdown_tables import NOT_MEASURED, Result, Table, markdown, rounded, seconds

from cisgram.report.words import commas, model_label

MODELS = ("elastic-net", "ridge", "top-snp")
MB = 1e6
PROJECTED = (
    ("variants", "variants, millions", 1e-6),
    ("common_variants", "of these with MAF of 1% or more, millions", 1e-6),
    ("calls_terabytes", "calls on disk, TB", 1),
    ("common_calls_terabytes", "calls of the common ones, TB", 1),
    ("import_core_hours", "import, core hours", 1),
    ("common_import_core_hours", "import of the common ones, core hours", 1),
    ("import_gib", "import, GiB", 1),
    ("expression_core_hours", "expression read, core hours", 1),
    ("expression_gib", "expression read, GiB", 1),
    ("kinship_core_hours", "kinship, core hours", 1),
    ("kinship_gib", "kinship, GiB", 1),
    *((f"{model}_core_hours", f"{model_label(model)}, core hours", 1) for model in MODELS),
    *((f"{model}_gib_a_worker", f"{model_label(model)}, GiB a worker", 1) for model in MODELS),
    ("fit_gigabytes", "held-out predictions and targets of a fit, GB", 1),
    ("predict_core_hours", "prediction, core hours", 1),
    ("predict_gib", "prediction, GiB", 1),
    ("export_core_hours", "export, core hours", 1),
    ("export_gib", "export, GiB", 1),
)
"""Key, what it is, and how many of the unit one is; what a result lacks is left out."""


def simulation(result: Result) -> str:
    """Say what was simulated."""
    made = result["simulation"]
    shares = [f"{100 * share:.0f}" for share in made["heritability"]]
    return (
        f"{rounded(made['length'] / 1e6)} Mb of a coalescent with effective size "
        f"{commas(made['effective_size'])} and rates of {made['mutation_rate']:.3g} mutations and "
        f"{made['recombination_rate']:.3g} crossovers a base; {made['genes']} genes with "
        f"{made['causal_snps']} causal SNPs each, heritabilities {', '.join(shares[:-1])} and "
        f"{shares[-1]}%; windows of {commas(made['window'])} bases on each side."
    )


def _added(step: Result) -> str:
    return rounded(step["peak_mib"] - step["peak_mib_at_start"])


def _import_row(name: str, step: Result) -> tuple[str, ...]:
    return (
        name,
        commas(step["n_variants"]),
        rounded(step["source_bytes"] / MB),
        rounded(step["calls_bytes"] / MB),
        rounded(step["other_bytes"] / MB),
        seconds(step["cpu_seconds"]),
        _added(step),
        rounded(step["matrix_as_float32_mib"]),
    )


def imports(result: Result) -> str:
    """Import: time, memory, disk."""
    rows = [
        _import_row(commas(row["n_people"]), row["import"])
        for row in result["cohorts"]
        if "import" in row
    ]
    if "real" in result:
        real = result["real"]["import"]
        rows.append(_import_row(f"{commas(real['n_people'])}, Geuvadis", real))
    head = ("people", "variants", "VCF, MB", "calls, MB", "the rest, MB", "CPU s", "memory, MiB",
            "all calls as float32, MiB")  # fmt: skip
    return markdown(head, rows)


def kinship(result: Result) -> str:
    """Kinship and the expression table."""
    rows = [
        (
            commas(row["n_people"]),
            commas(row["kinship"]["n_snps"]),
            seconds(row["kinship"]["cpu_seconds"]),
            _added(row["kinship"]),
            commas(row["expression"]["n_genes"]),
            seconds(row["expression"]["cpu_seconds"]),
            _added(row["expression"]),
        )
        for row in result["cohorts"]
        if {"kinship", "expression"} <= row.keys()
    ]
    head = ("people", "SNPs for kinship", "CPU s", "memory, MiB", "genes of expression", "CPU s",
            "memory, MiB")  # fmt: skip
    return markdown(head, rows)


def _fit_row(name: str, row: Result) -> list[str]:
    cells = [name]
    for model in MODELS:
        cells += [seconds(row[model]["median_cpu_seconds"]), _added(row[model])]
    return cells


def fits(result: Result) -> str:
    """A gene's nested cross-validation: time and memory."""
    rows = [
        _fit_row(commas(row["n_people"]), row) for row in result["cohorts"] if {*MODELS} <= {*row}
    ]
    if "real" in result:
        people = commas(result["real"]["import"]["n_people"])
        rows.append(_fit_row(f"{people}, Geuvadis", result["real"]))
    head = ["people"]
    for model in MODELS:
        head += [f"{model_label(model)}, CPU s a gene", "memory, MiB"]
    return markdown(head, rows)


def weights(result: Result) -> str:
    """Use of finished models."""
    rows = [
        (
            commas(row["n_people"]),
            *(
                cell
                for step in ("export", "predict")
                for cell in (seconds(row[step]["cpu_seconds"]), _added(row[step]))
            ),
        )
        for row in result["cohorts"]
        if {"export", "predict"} <= row.keys()
    ]
    head = ("people", "export, CPU s", "memory, MiB", "prediction, CPU s", "memory, MiB")
    return markdown(head, rows) if rows else NOT_MEASURED


def longer(result: Result) -> str:
    """What more variants change, people being the same."""
    found = result["nothing_holds_everything"]["more_variants"]
    rows = [
        (step, *(rounded(memory) for memory in memories))
        for step, memories in found["added_mib"].items()
    ]
    head = ("memory, MiB", *(f"{commas(n)} variants" for n in found["variants"]))
    return f"{commas(found['people'])} people.\n\n" + markdown(head, rows)


def everything(result: Result) -> str:
    """The step that comes nearest to holding everything."""
    rows = result["nothing_holds_everything"]["rows"]
    most = max(rows, key=lambda row: (row["people"], row["added_mib"]))
    return (
        f"The step that needs most at {commas(most['people'])} people, {most['step']}, adds "
        f"{rounded(most['added_mib'])} MiB; all calls of a genome in single precision would be "
        f"{rounded(most['matrix_of_genome_mib'] / 1024)} GiB."
    )


def exponents(result: Result) -> str:
    """How each quantity grows."""
    rows = [
        (
            name,
            f"{curve['exponent']:.2f}",
            f"{curve['exponent_of_largest_two']:.2f}",
            "" if curve.get("order") is None else str(curve["order"]),
        )
        for name, curve in result["scaling"].items()
    ]
    head = ("quantity", "exponent over all sizes", "of the largest two", "of the method")
    return markdown(head, rows)


def projection(result: Result) -> str:
    """A whole genome, and a biobank."""
    columns = {
        f"{commas(round(column['people']))} people": column
        for column in result["extrapolation"].values()
    }
    for column in list(result.get("extrapolation_by_order", {}).values())[1:]:
        columns[f"{commas(round(column['people']))} people, exponent of the method"] = column
    rows = [
        (what, *(rounded(column[key] * unit) for column in columns.values()))
        for key, what, unit in PROJECTED
        if all(key in column for column in columns.values())
    ]
    return markdown(("", *columns), rows)


def limits(result: Result) -> str:
    """What would not fit."""
    return "\n".join(f"- {sentence}" for sentence in result["limits"])


def machine(result: Result) -> str:
    """Where it was measured."""
    where = result["machine"]
    return (
        f"Measured on {where['cpu']}, {where['threads']} thread, Python {where['python']}, numpy "
        f"{where['numpy']}."
    )


TABLES = {
    "growth": {
        "simulation": Table(simulation, ("simulation",)),
        "imports": Table(imports, ("cohorts",)),
        "kinship": Table(kinship, ("cohorts",)),
        "fits": Table(fits, ("cohorts",)),
        "weights": Table(weights, ("cohorts",)),
        "longer": Table(longer, ("nothing_holds_everything/more_variants",)),
        "everything": Table(everything, ("nothing_holds_everything/rows",)),
        "exponents": Table(exponents, ("scaling",)),
        "projection": Table(projection, ("extrapolation",)),
        "limits": Table(limits, ("limits",)),
        "machine": Table(machine, ("machine",)),
    }
}
