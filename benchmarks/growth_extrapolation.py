"""Exponents, extrapolation and limits for `growth.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np

MODELS = ("elastic-net", "ridge", "top-snp")
ASSUMED = {"exponent_of_largest_two": "measured exponent", "order": "exponent of the method"}
GENOME_GENES, BIOBANK, AUTOSOMES = 20_000, 500_000, 2_875_000_000
WORKER_GIB, CORE_HOURS, TABLE_GIB = 16, 10_000, 256
"""What passes: memory of a worker, a week on 60 cores, memory of a machine."""

Row = dict[str, Any]
Reading = tuple[Callable[[Row], float], int | None]
"""How a value is read from a cohort, and the exponent of the method in people, if it has one."""


def added(step: str) -> Callable[[Row], float]:
    """Read the memory a step added to that of a process with everything imported."""
    return lambda row: max(row[step]["peak_mib"] - row[step]["peak_mib_at_start"], 0.1)


def readings() -> dict[str, Reading]:
    found: dict[str, Reading] = {
        "import cpu seconds": (lambda row: row["import"]["cpu_seconds"], 1),
        "import memory MiB": (added("import"), 1),
        "variants": (lambda row: row["import"]["n_variants"], None),
        "calls bytes": (lambda row: row["import"]["calls_bytes"], 1),
        "import cpu microseconds a call": (
            lambda row: 1e6 * row["import"]["cpu_seconds"] / row["import"]["calls_bytes"],
            0,
        ),
        "kinship cpu seconds": (lambda row: row["kinship"]["cpu_seconds"], 2),
        "kinship memory MiB": (added("kinship"), 1),
        "expression cpu seconds": (lambda row: row["expression"]["cpu_seconds"], 1),
        "expression memory MiB": (added("expression"), 1),
        "fit bytes a gene": (lambda row: row["publish"]["bytes_a_gene"], 1),
    }
    for model in MODELS:
        seconds: Reading = (lambda row, m=model: row[m]["median_cpu_seconds"], 1)
        found[f"{model} cpu seconds a gene"] = seconds
        found[f"{model} memory MiB"] = (added(model), 1)
    return found


def scale(cohorts: list[Row]) -> dict[str, Any]:
    """Fit value = constant x people ^ exponent, to all cohorts and to the two largest."""
    people = np.log([row["n_people"] for row in cohorts])
    scaling = {}
    for name, (read, order) in readings().items():
        values = np.log([max(read(row), 1e-9) for row in cohorts])
        scaling[name] = {
            "people": [row["n_people"] for row in cohorts],
            "values": [round(float(value), 5) for value in np.exp(values)],
            "exponent": round(float(np.polyfit(people, values, 1)[0]), 3),
            "exponent_of_largest_two": round(float(np.diff(values)[-1] / np.diff(people)[-1]), 3),
            "order": order,
        }
    return scaling


FORMULAS = {
    "at": "value(largest cohort) x (people / people of the largest cohort) ^ exponent; "
    "`extrapolation` takes the exponent measured between the two largest cohorts, "
    "`extrapolation_by_order` the one the method has (ridge: once people outnumber SNPs), "
    "but for the number of variants, whose exponent is always the measured one",
    "variants": "variants a base simulated x 2.875e9 bases x growth with people",
    "calls_terabytes": "people x variants, one byte each",
    "common_calls_terabytes": "people x variants of MAF >= 0.01, one byte each",
    "import_core_hours": "CPU time a call x people x variants",
    "expression_gib": "memory(expression) x 20,000 genes / genes of the table read",
    "fit_gigabytes": "bytes of a gene's held-out predictions and targets x 20,000 genes",
    "MODEL_core_hours": "median CPU time a gene x 20,000 genes",
    "MODEL_gib_a_worker": "memory(fit of a gene); a worker holds one gene at a time",
}


def extrapolate(scaling: Row, largest: Row, *, length: int, window: int, exponent: str) -> Row:
    """Project to a whole genome at the largest cohort, and to a biobank; see `FORMULAS`."""
    n, density = largest["n_people"], largest["import"]["n_variants"] / length
    common = np.median([gene["n_snps_window"] for gene in largest["elastic-net"]["genes"]])
    n_common = float(common) / (2 * window) * AUTOSOMES

    def at(name: str, people: int) -> float:
        curve = scaling[name]
        power = curve["exponent_of_largest_two" if curve["order"] is None else exponent]
        return curve["values"][-1] * (people / n) ** power

    projected = {}
    for people in (n, BIOBANK):
        variants = density * AUTOSOMES * at("variants", people) / at("variants", n)
        micro = at("import cpu microseconds a call", people)
        tables = GENOME_GENES / largest["expression"]["n_genes"]
        row: Row = {
            "people": people,
            "assumed": ASSUMED[exponent] if people > n else "largest cohort",
            "genes": GENOME_GENES,
            "variants": variants,
            "common_variants": n_common,
            "calls_terabytes": people * variants / 1e12,
            "common_calls_terabytes": people * n_common / 1e12,
            "calls_terabytes_a_million_variants": people / 1e6,
            "import_core_hours": micro * people * variants / 3.6e9,
            "common_import_core_hours": micro * people * n_common / 3.6e9,
            "import_gib": at("import memory MiB", people) / 1024,
            "kinship_core_hours": at("kinship cpu seconds", people) / 3600,
            "kinship_gib": at("kinship memory MiB", people) / 1024,
            "expression_core_hours": at("expression cpu seconds", people) * tables / 3600,
            "expression_gib": at("expression memory MiB", people) * tables / 1024,
            "fit_gigabytes": at("fit bytes a gene", people) * GENOME_GENES / 1e9,
        }
        for model in MODELS:
            row[f"{model}_core_hours"] = (
                GENOME_GENES * at(f"{model} cpu seconds a gene", people) / 3600
            )
            row[f"{model}_gib_a_worker"] = at(f"{model} memory MiB", people) / 1024
        projected[f"{people:,}"] = {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in row.items()
        }
    return projected


def compare_with_everything(cohorts: list[Row], longer: Row | None, length: int) -> Row:
    """Set the memory of each step against a float32 matrix of all people times all variants."""
    rows = []
    for row in cohorts:
        region = row["import"]["matrix_as_float32_mib"]
        for step in ("import", "kinship", *MODELS, "predict", "export"):
            more = added(step)(row)
            rows.append(
                {
                    "step": step,
                    "people": row["n_people"],
                    "added_mib": round(more, 1),
                    "matrix_of_region_mib": region,
                    "matrix_of_genome_mib": round(region * AUTOSOMES / length),
                    "share_of_genome": float(f"{more / region * length / AUTOSOMES:.2g}"),
                }
            )
    found: Row = {
        "largest_share_of_genome": max(row["share_of_genome"] for row in rows),
        "most": max(rows, key=lambda row: (row["people"], row["added_mib"])),
        "rows": rows,
    }
    if longer is not None:
        same = next(row for row in cohorts if row["n_people"] == longer["n_people"])
        found["more_variants"] = {
            "people": longer["n_people"],
            "variants": [row["import"]["n_variants"] for row in (same, longer)],
            "added_mib": {
                step: [round(added(step)(row), 1) for row in (same, longer)]
                for step in ("import", *MODELS)
            },
        }
    return found


def limits(one: Row, other: Row) -> list[str]:
    """Say what of a biobank would not fit or take too long, by both extrapolations."""

    def span(key: str, digits: int = 0) -> str:
        low, high = (f"{value:,.{digits}f}" for value in sorted((one[key], other[key])))
        return low if low == high else f"{low} to {high}"

    def most(key: str) -> float:
        return max(one[key], other[key])

    said = [
        f"All {one['variants'] / 1e6:,.0f} million variants take {span('calls_terabytes', 1)} TB "
        f"and {span('import_core_hours')} core hours of import, which is one process; the "
        f"{one['common_variants'] / 1e6:,.1f} million that models can use (MAF of 1% or more) take "
        f"{span('common_calls_terabytes', 1)} TB and {span('common_import_core_hours')} core "
        "hours: filter the file first, and import chromosomes side by side."
    ]
    if most("expression_gib") > TABLE_GIB:
        said.append(
            f"The expression table of 20,000 genes is read whole: {span('expression_gib')} GiB, "
            "which does not fit; import the genes in parts."
        )
    for model in MODELS:
        hours, memory = f"{model}_core_hours", f"{model}_gib_a_worker"
        troubles = [
            *([f"{span(memory)} GiB a worker"] if most(memory) > WORKER_GIB else []),
            *([f"{span(hours)} core hours"] if most(hours) > CORE_HOURS else []),
        ]
        if troubles:
            said.append(
                f"{model} on individuals, nested cross-validation of 20,000 genes: "
                f"{' and '.join(troubles)}; train on a sample of the people."
            )
    said.append(
        f"Kinship of all pairs takes {span('kinship_core_hours', 1)} core hours on one thread and "
        f"{span('kinship_gib')} GiB; leave it out (--no-relatives) where relatives were removed "
        "before."
    )
    return said
