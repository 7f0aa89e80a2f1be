"""Measure how time, memory and disk grow with people, and say what half a million would need.

    python benchmarks/growth.py --json benchmarks/results/growth.json \
        [--genotypes VCF --expression BED]

People are simulated (msprime, coalescent with recombination), written as a gzipped VCF and
taken through import, fit, export and prediction. Every step runs in a fresh process on one
thread; memory is the peak resident size of that process, mapped files included. With a VCF
and a BED, the same is measured on them.

Keys of the JSON:

- `cohorts`: a row a number of people (`n_people`); under `import`, `kinship`, `expression`,
  `elastic-net`, `ridge`, `top-snp`, `publish` (an elastic net written as a fit), `export` and
  `predict` (of that fit): `seconds`, `cpu_seconds`, `peak_mib`, `peak_mib_at_start`, `added_mib`
  (the first peak less the second), and what is particular to the step, such as the bytes it wrote.
  The models also have `median_cpu_seconds` a gene and a row a gene under `genes`. `cohort` is
  `simulated`.
- `real`: the same of the files given, without `expression`; `cohort` is `real`.
- `longer`: 1,000 people and four times the variants.
- `scaling`: a quantity a key: `people`, `values`, `exponent` fitted to all of them,
  `exponent_of_largest_two`, and `order`, the exponent the method has.
- `extrapolation` and `extrapolation_by_order`: 20,000 genes and a whole genome, by people.
  Nothing in them is measured; `formulas` says how each was calculated.
- `nothing_holds_everything`: memory of each step against a float32 matrix of all people times
  all variants, `most` of them, and what four times the variants change.
- `limits`: sentences on what does not fit at 500,000 people.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402 - after the threads are set
from growth_extrapolation import (  # noqa: E402
    BIOBANK,
    FORMULAS,
    MODELS,
    compare_with_everything,
    extrapolate,
    limits,
    scale,
)
from growth_simulation import (  # noqa: E402
    EFFECTIVE_SIZE,
    HERITABILITY,
    LENGTH,
    MUTATION,
    N_CAUSAL,
    N_GENES,
    RECOMBINATION,
    WINDOW,
    simulate,
    write_expression,
    write_sources,
    write_unlinked,
)
from machine import machine, peak_mib  # noqa: E402

from cisgram.core.artifact import write_json  # noqa: E402
from cisgram.data.expression import read_expression  # noqa: E402
from cisgram.data.splits import find_relatives  # noqa: E402
from cisgram.genome.genotypes import Genotypes, import_genotypes  # noqa: E402
from cisgram.personal.cohort import Cohort, import_cohort  # noqa: E402
from cisgram.personal.cohort_options import ImportOptions  # noqa: E402
from cisgram.personal.export import export_predictdb  # noqa: E402
from cisgram.personal.fit import Fit, fit_cohort  # noqa: E402
from cisgram.personal.fit_config import FitConfig  # noqa: E402
from cisgram.personal.gene_fit import GeneFitter  # noqa: E402
from cisgram.personal.predict import predict_people  # noqa: E402
from cisgram.personal.predictdb import WeightSet  # noqa: E402

PEOPLE = (100, 358, 1_000, 3_000, 10_000)
LONGER_PEOPLE, LONGER = 1_000, 4


def measured(step: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Run a step in a fresh process, its kernel compiled; return its result, time and memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, step, arguments).result()


def _measured(step: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    if step in (fit_step, publish_step):
        warm()
    before = peak_mib()
    wall, cpu = time.perf_counter(), time.process_time()
    result = step(*arguments)
    seconds, cpu_seconds, peak = time.perf_counter() - wall, time.process_time() - cpu, peak_mib()
    return {
        **result,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_mib": peak,
        "peak_mib_at_start": before,
        "added_mib": round(peak - before, 1),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def import_step(genotypes: Path, expression: Path, out: Path) -> dict[str, Any]:
    """Import without looking for relatives, which is measured apart."""
    alone = ImportOptions(relatives=False)
    cohort = import_cohort(genotypes, expression, out=out, options=alone)
    n_people, n_variants = len(cohort.people), cohort.genotypes.variants.height
    store = out / "genotypes"
    calls = (store / "calls.u8").stat().st_size
    others = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) - calls
    return {
        "n_people": n_people,
        "n_variants": n_variants,
        "n_genes": len(cohort.genes),
        "calls_bytes": calls,
        "bytes_per_call": calls / (n_people * n_variants),
        "other_bytes": others,
        "source_bytes": genotypes.stat().st_size,
        "matrix_as_float32_mib": round(n_people * n_variants * 4 / 2**20, 1),
    }


def expression_step(table: Path) -> dict[str, Any]:
    read = read_expression(table)
    return {"n_genes": len(read.genes), "values_mib": round(read.values.nbytes / 2**20, 2)}


def kinship_step(genotypes: Path, store: Path) -> dict[str, Any]:
    people = tuple(genotypes.read_text().split())
    relatives = find_relatives(Genotypes.open(store, people), threshold=0.177)
    return {"n_people": len(people), "n_snps": relatives.n_snps, "n_pairs": len(relatives.first)}


def prepare_kinship(place: Path) -> dict[str, Any]:
    people, counts = import_genotypes(place / "unlinked.vcf.gz", place / "unlinked")
    (place / "unlinked.people").write_text(" ".join(people))
    return {"n_variants": counts.n_kept}


def fit_step(cohort: Path, model: str, budget: float) -> dict[str, Any]:
    """Fit genes, spread over the cohort, until the budget of seconds is spent."""
    fitter = GeneFitter(cohort, FitConfig(model=model, window=WINDOW))
    opened = Cohort.open(cohort)
    started = time.perf_counter()
    splits = len(fitter.splits)
    shared = time.perf_counter() - started
    n = len(opened.genes)
    order = np.argsort(np.arange(n) * 0.618 % 1, kind="stable")
    genes, started = [], time.perf_counter()
    for gene in order[:N_GENES].tolist():
        if genes and time.perf_counter() - started > budget:
            break
        cpu = time.process_time()
        record = fitter(gene)
        rows = opened.cis_rows(gene, WINDOW)
        genes.append(
            {
                "gene": record.row["gene"],
                "n_variants": rows.stop - rows.start,
                "n_snps_window": record.row["n_snps_window"],
                "n_snps_model": record.row["n_snps_model"],
                "pearson": record.row["pearson"],
                "cpu_seconds": round(time.process_time() - cpu, 4),
                "seconds": round(record.row["seconds"], 4),
            }
        )
    return {"n_splits": splits, "shared_seconds": round(shared, 4), "genes": genes}


def publish_step(cohort: Path, out: Path) -> dict[str, Any]:
    """Write the elastic net of one gene as a fit."""
    gene = Cohort.open(cohort).genes["gene"][N_GENES // 2]
    config = FitConfig(model="elastic-net", window=WINDOW)
    fit_cohort(cohort, config, out, genes=[gene], executor="serial")
    arrays = (out / "predictions.npy", out / "measured.npy")
    return {"bytes_a_gene": sum(path.stat().st_size for path in arrays)}


def export_step(fit: Path, cohort: Path, out: Path) -> dict[str, Any]:
    exported = export_predictdb(
        Fit.open(fit), Cohort.open(cohort), out, accepted_only=False, build="GRCh38"
    )
    written = (exported.database, exported.covariances)
    return {
        "n_weights": exported.n_weights,
        "bytes": sum(path.stat().st_size for path in written),
    }


def predict_step(fit: Path, cohort: Path) -> dict[str, Any]:
    weights = WeightSet.from_fit(Fit.open(fit), accepted_only=False)
    found = predict_people(weights, Cohort.open(cohort).genotypes)
    return {"n_genes": len(found.genes), "n_people": len(found.people)}


def warm() -> None:
    """Load the compiled kernel, so that the first gene does not wait for it."""
    from cisgram.personal.elastic_net import ElasticNetConfig, elastic_net_cv

    rng = np.random.default_rng(0)
    snps = rng.binomial(2, 0.4, (20, 40)).astype(np.float32)
    elastic_net_cv(snps, snps[0].astype(float), np.arange(40) % 4, config=ElasticNetConfig())


def measure_cohort(genotypes: Path, expression: Path, cohort: Path, budget: float) -> dict:
    """Take one cohort through import and every model."""
    row: dict[str, Any] = {"import": measured(import_step, genotypes, expression, cohort)}
    for model in MODELS:
        row[model] = measured(fit_step, cohort, model, budget)
        genes = row[model]["genes"]
        row[model]["median_cpu_seconds"] = float(np.median([g["cpu_seconds"] for g in genes]))
        row[model]["median_seconds"] = float(np.median([g["seconds"] for g in genes]))
        tell(row["import"]["n_people"], model, row[model])
    fit = cohort.with_name(f"{cohort.name}-fit")
    row["publish"] = measured(publish_step, cohort, fit)
    row["export"] = measured(export_step, fit, cohort, fit.with_suffix(".db"))
    row["predict"] = measured(predict_step, fit, cohort)
    return row


def measure_people(place: Path, n_people: int, budget: float, seed: int) -> dict[str, Any]:
    """Measure a simulated cohort, kinship apart."""
    written = measured(write_sources, place, n_people)
    tell(n_people, "written", written)
    row = {"cohort": "simulated", "n_people": n_people, "vcf": written}
    row |= measure_cohort(
        place / "calls.vcf.gz", place / "expression.bed", place / f"cohort{n_people}", budget
    )
    measured(write_expression, place, n_people)
    row["expression"] = measured(expression_step, place / "table.bed")
    measured(write_unlinked, place, n_people, seed)
    row["kinship import"] = measured(prepare_kinship, place)
    row["kinship"] = measured(kinship_step, place / "unlinked.people", place / "unlinked")
    tell(n_people, "kinship", row["kinship"])
    return row


def tell(n_people: int, what: str, result: dict[str, Any]) -> None:
    facts = {key: value for key, value in result.items() if not isinstance(value, list)}
    print(f"{n_people:>7,} {what}: {facts}", flush=True)


def measure_longer(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure 1,000 people with several times the variants, and as many in a window."""
    place.mkdir()
    length = LONGER * options.length
    measured(simulate, place, LONGER_PEOPLE, length, options.seed)
    measured(write_sources, place, LONGER_PEOPLE)
    row = measure_cohort(
        place / "calls.vcf.gz", place / "expression.bed", place / "cohort", options.budget
    )
    return {"n_people": LONGER_PEOPLE, "length": length, **row}


def _without_folders(argument: str) -> str:
    return Path(argument).name if argument.startswith("/") else argument


def conclude(
    cohorts: list[dict[str, Any]], longer: dict[str, Any] | None, length: int
) -> dict[str, Any]:
    """Calculate what follows from the measurements."""
    scaling = scale(cohorts)
    projected = {
        exponent: extrapolate(scaling, cohorts[-1], length=length, window=WINDOW, exponent=exponent)
        for exponent in ("exponent_of_largest_two", "order")
    }
    return {
        "scaling": scaling,
        "extrapolation": projected["exponent_of_largest_two"],
        "extrapolation_by_order": projected["order"],
        "formulas": FORMULAS,
        "nothing_holds_everything": compare_with_everything(cohorts, longer, length),
        "limits": limits(*(found[f"{BIOBANK:,}"] for found in projected.values())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    parser.add_argument("--length", type=int, default=LENGTH, help="bases simulated")
    parser.add_argument("--budget", type=float, default=10, help="seconds a model and cohort")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--genotypes", type=Path, help="real VCF to measure beside")
    parser.add_argument("--expression", type=Path, help="its BED")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    started, load = time.perf_counter(), os.getloadavg()
    warm()
    result: dict[str, Any] = {
        "command": " ".join(["python", *map(_without_folders, sys.argv)]),
        "machine": machine(threads=1),
        "load_average_at_start": load,
        "simulation": {
            "effective_size": EFFECTIVE_SIZE,
            "recombination_rate": RECOMBINATION,
            "mutation_rate": MUTATION,
            "length": options.length,
            "window": WINDOW,
            "genes": N_GENES,
            "causal_snps": N_CAUSAL,
            "heritability": HERITABILITY,
            "seed": options.seed,
        },
    }
    people = sorted(options.people)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        simulated = measured(simulate, place, people[-1], options.length, options.seed)
        tell(people[-1], "simulated", simulated)
        result["simulation"] |= simulated
        if options.genotypes and options.expression:
            result["real"] = {"cohort": "real"} | measure_cohort(
                options.genotypes, options.expression, place / "real", options.budget
            )
        cohorts = []
        for n_people in people:
            cohorts.append(measure_people(place, n_people, options.budget, options.seed))
            result["cohorts"] = cohorts
            write_json(options.json, result)
        if LONGER_PEOPLE in people:
            result["longer"] = measure_longer(place / "longer", options)
    result |= conclude(cohorts, result.get("longer"), options.length)
    result["load_average_at_end"] = os.getloadavg()
    result["total_seconds"] = time.perf_counter() - started
    write_json(options.json, result)
    for name, curve in result["scaling"].items():
        print(f"{name}: {curve}")
    for name in ("extrapolation", "extrapolation_by_order", "limits"):
        print(result[name])


if __name__ == "__main__":
    main()
