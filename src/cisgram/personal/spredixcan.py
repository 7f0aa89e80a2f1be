"""Associates predicted expression with a trait from GWAS summary statistics alone.

S-PrediXcan (Barbeira et al. 2018, https://doi.org/10.1038/s41467-018-03621-1): the z-score of
a gene is the sum over its SNPs of weight x (sd of the SNP / sd of the prediction) x z-score
of the SNP, with both sd from a reference panel's covariances. Polygenic traits inflate it;
the correction divides by sqrt(1 + phi N h2) (Liang et al. 2023,
https://doi.org/10.1101/2023.10.17.562831).
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from scipy.stats import norm

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import DataError, check_range
from cisgram.core.results import write_tsv
from cisgram.data.numeric_table import MISSING
from cisgram.genome.streams import read_lines
from cisgram.personal.gwas import Gwas
from cisgram.personal.harmonize import Ambiguous, harmonize
from cisgram.personal.predictdb import WeightSet, q_values

_NO_VARIANCE = 1e-10  # share of the variance of independent SNPs; below it is rounding
_HEADER: dict[str, type[pl.DataType]] = {
    "GENE": pl.String,
    "RSID1": pl.String,
    "RSID2": pl.String,
    "VALUE": pl.Float64,
}


@dataclass(frozen=True)
class Associations:
    """Genes and one trait."""

    genes: pl.DataFrame
    """A row a gene, most significant first: `gene name z effect_size var_g p_value
    neg_log10_p z_calibrated p_calibrated n_snps_model n_snps_gwas n_snps_covariance
    n_snps_used`, accuracy of the model `r2 p_model`, the counts of `harmonize`, and
    false discovery rates `q_value q_calibrated`.

    `effect_size` is the trait's change per unit of predicted expression, `var_g` the
    variance of the prediction in the reference panel; `z` is null where no SNP could be
    used or the prediction does not vary. The q-values are Benjamini-Hochberg's over the
    genes that have a z-score."""
    snps: pl.DataFrame
    """A row a SNP of a gene: what `Harmonized.listed` says, where a SNP without covariances
    has the outcome `no covariance`, and its `z` for the model's effect allele."""
    notes: tuple[str, ...]
    """Sentences about what is missing or looks wrong."""

    def write(self, path: Path | str) -> Path:
        """Write the genes as TSV, and their SNPs to `NAME.snps.tsv`, whose path is returned."""
        path = Path(path)
        listed = snps_beside(path)
        with atomic_file(path) as genes, atomic_file(listed) as snps:
            write_tsv(self.genes, genes, null="NA")
            write_tsv(self.snps, snps, null="NA")
        return listed


def snps_beside(path: Path) -> Path:
    """Return where the SNPs of an association go."""
    return path.with_name(f"{path.name.removesuffix('.tsv')}.snps.tsv")


@dataclass(frozen=True)
class Covariance:
    """Covariances of the dosages of one gene's SNPs."""

    rows: dict[str, int]
    values: Float64[np.ndarray, "snps snps"]
    """Symmetric; 0 for a pair that the file does not have, NaN on the diagonal likewise."""


def associate(
    weights: WeightSet,
    gwas: Gwas,
    covariances: Path | str,
    *,
    n: float | None = None,
    h2: float | None = None,
    ambiguous: Ambiguous = "keep",
    build: str = "",
) -> Associations:
    """Test every gene of a model set against the trait of a GWAS.

    A SNP is used when the GWAS has it with matching alleles and the covariances have it too;
    the others are left out and counted. SNPs whose alleles are swapped change sign.

    Args:
        weights: the models, of a PredictDB file.
        gwas: the summary statistics.
        covariances: text that belongs to the models, `GENE RSID1 RSID2 VALUE`.
        n: sample size of the GWAS, for calibration; that of its table when None.
        h2: heritability of the trait, 0 to 1, for calibration.
        ambiguous: what becomes of A/T and C/G SNPs.
        build: assembly of the GWAS when known.
    """
    n = gwas.n if n is None else check_range(n, "n", low=1)
    h2 = None if h2 is None else check_range(h2, "h2", low=0, high=1)
    what = f"GWAS table {gwas.source}"
    found = harmonize(weights, gwas.variants, what=what, ambiguous=ambiguous, build=build)
    snps = _with_z(found.snps, gwas).with_row_index("snp")
    known = np.zeros(snps.height, np.bool_)
    models = {str(part["gene"][0]): part for part in snps.partition_by("gene")}
    results: dict[str, tuple[Any, ...]] = {gene: (gene, *_NOTHING) for gene in models}
    for gene, covariance in read_covariances(covariances, genes=set(models)):
        rows = _covariance_rows(models[gene], covariance)
        known[models[gene]["snp"].to_numpy()] = rows >= 0
        results[gene] = (gene, *_gene_association(models[gene], covariance, rows))
    table = pl.DataFrame(list(results.values()), schema=_RESULT, orient="row")
    if not (table["n_snps_covariance"] > 0).any():
        raise DataError(
            f"covariances {covariances} have none of the models' SNPs; "
            "name the file that belongs to the weights."
        )
    genes, notes = _calibrate(_described(table, weights, found.account), n, h2)
    lost = pl.Series(~known) & found.snps["row"].is_not_null()
    outcome = pl.when(pl.lit(lost)).then(pl.lit("no covariance")).otherwise("outcome")
    listed = found.listed(snps["z"]).with_columns(outcome=outcome)
    return Associations(genes, listed, (*gwas.notes, *found.notes, *notes))


_RESULT = {
    "gene": pl.String,
    "z": pl.Float64,
    "effect_size": pl.Float64,
    "var_g": pl.Float64,
    "n_snps_covariance": pl.Int64,
    "n_snps_used": pl.Int64,
}
_NOTHING = (float("nan"), float("nan"), float("nan"), 0, 0)


def read_covariances(
    path: Path | str, *, genes: set[str] | None = None
) -> Iterator[tuple[str, Covariance]]:
    """Yield the covariances of the wanted genes, by default all, one gene after another.

    The text has the header `GENE RSID1 RSID2 VALUE` and the lines of a gene together.
    """
    waiting: pl.DataFrame | None = None
    seen: set[str] = set()
    for block in _covariance_blocks(path):
        if waiting is not None:
            block = pl.concat([waiting, block])
        runs = block.with_columns(run=pl.col("GENE").rle_id())
        parts = runs.partition_by("run", maintain_order=True, include_key=False)
        waiting = parts.pop()
        for part in parts:
            yield from _one_gene(part, seen, path=path, genes=genes)
    if waiting is not None:
        yield from _one_gene(waiting, seen, path=path, genes=genes)


def _covariance_blocks(path: Path | str) -> Iterator[pl.DataFrame]:
    separator = ""
    for text in read_lines(path, "covariance file"):
        if not separator:
            header, _, text = text.partition(b"\n")
            separator = "\t" if b"\t" in header else " "
            if tuple(header.decode(errors="replace").split()) != tuple(_HEADER):
                raise DataError(
                    f"covariance file {path} must begin with {' '.join(_HEADER)}; "
                    "name the file that belongs to the weights."
                )
        if not text.strip():
            continue
        try:
            block = pl.read_csv(
                io.BytesIO(text), separator=separator, has_header=False, schema=_HEADER,
                null_values=list(MISSING), quote_char=None,
            )  # fmt: skip
        except pl.exceptions.PolarsError as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise DataError(
                f"covariance file {path} has a line that is not GENE RSID1 RSID2 VALUE ({reason}); "
                "make it again."
            ) from error
        if block.select(pl.any_horizontal(pl.col("GENE", "RSID1", "RSID2").is_null()).any()).item():
            raise DataError(f"covariance file {path} has a line without names; make it again.")
        yield block


def _one_gene(
    part: pl.DataFrame, seen: set[str], *, path: Path | str, genes: set[str] | None
) -> Iterator[tuple[str, Covariance]]:
    gene = str(part["GENE"][0])
    if gene in seen:
        raise DataError(f"covariance file {path} has gene {gene} in two places; sort it by gene.")
    seen.add(gene)
    if genes is None or gene in genes:
        yield gene, _matrix(part.drop_nulls("VALUE"), path)


def _matrix(part: pl.DataFrame, path: Path | str) -> Covariance:
    first, second = part["RSID1"].to_list(), part["RSID2"].to_list()
    rows = {name: row for row, name in enumerate(dict.fromkeys((*first, *second)))}
    values = np.zeros((len(rows), len(rows)))
    np.fill_diagonal(values, np.nan)
    i = np.array([rows[name] for name in first], np.int64)
    j = np.array([rows[name] for name in second], np.int64)
    given = part["VALUE"].to_numpy()
    values[i, j] = values[j, i] = given
    if (differs := values[i, j] != given).any():  # a later line of the same pair won
        row = int(differs.argmax())
        raise DataError(
            f"covariance file {path} has two values for {first[row]} and {second[row]} of gene "
            f"{part['GENE'][0]}; make it again."
        )
    return Covariance(rows, values)


def _with_z(snps: pl.DataFrame, gwas: Gwas) -> pl.DataFrame:
    """Add the GWAS's z and beta for the model's effect allele; null where it is not used."""
    theirs = gwas.variants.with_row_index("row").select("row", "z", "beta")
    sign = pl.when("swapped").then(-1.0).otherwise(1.0)
    joined = snps.join(theirs, on="row", how="left", maintain_order="left")
    return joined.with_columns(pl.col("z", "beta") * sign)


def _gene_association(
    model: pl.DataFrame, covariance: Covariance, rows: Int64[np.ndarray, "snps"]
) -> tuple[float, float, float, int, int]:
    """Return z, effect size, variance, and SNPs in the covariances and used."""
    z = model["z"].to_numpy()
    used = (rows >= 0) & ~np.isnan(z)
    n_known, n_used = int((rows >= 0).sum()), int(used.sum())
    if n_used == 0:
        return (*_NOTHING[:3], n_known, 0)
    weights = model["weight"].to_numpy()[used]
    panel = covariance.values[np.ix_(rows[used], rows[used])]
    variances = np.diag(panel)
    variance = float(weights @ panel @ weights)
    if not variance > _NO_VARIANCE * float(weights**2 @ variances):
        return (*_NOTHING[:2], max(variance, 0.0), n_known, n_used)
    gene_z = float(weights * np.sqrt(variances) @ z[used] / np.sqrt(variance))
    effect = float(weights * variances @ model["beta"].to_numpy()[used] / variance)
    return gene_z, effect, variance, n_known, n_used


def _covariance_rows(model: pl.DataFrame, covariance: Covariance) -> Int64[np.ndarray, "snps"]:
    """Find each SNP under either of its names; -1 where it or its variance is missing."""
    names, known_as = zip(model["rsid"], model["var_id"], strict=True), covariance.rows
    found = [known_as.get(rsid, known_as.get(var_id, -1)) for rsid, var_id in names]
    rows = np.array(found, np.int64)
    known = ~np.isnan(np.diag(covariance.values)[rows]) if len(covariance.values) else False
    return np.where((rows >= 0) & known, rows, -1)


def _described(table: pl.DataFrame, weights: WeightSet, account: pl.DataFrame) -> pl.DataFrame:
    """Add what is known of the gene, its model and its SNPs."""
    about = weights.genes.select("gene", "name", "r2", "phi", p_model="p_value")
    counts = account.rename({"n_model": "n_snps_model", "n_used": "n_snps_gwas"})
    joined = about.join(table, on="gene", how="left", maintain_order="left")
    return joined.join(counts, on="gene", how="left", maintain_order="left")


def _calibrate(
    genes: pl.DataFrame, n: float | None, h2: float | None
) -> tuple[pl.DataFrame, list[str]]:
    """Add p-values, and the calibrated ones where everything for them is known."""
    needs = {
        "the sample size n of the GWAS": n is not None,
        "the heritability h2 of the trait": h2 is not None,
        "phi of the models": genes["phi"].null_count() < genes.height,
    }
    lacks = ", ".join(name for name, there in needs.items() if not there)
    notes = [f"z-scores are not calibrated for polygenicity without {lacks}."] if lacks else []
    z = genes["z"].to_numpy()
    phi = genes["phi"].cast(pl.Float64).to_numpy()
    inflation = 1 + np.maximum(phi, 0) * (n or 0.0) * (h2 or 0.0)
    calibrated = np.full(len(z), np.nan) if lacks else z / np.sqrt(inflation)
    log_p = norm.logsf(np.abs(z)) + np.log(2.0)
    p_value, p_calibrated = np.exp(log_p), 2 * norm.sf(np.abs(calibrated))
    columns = {
        "p_value": p_value,
        "neg_log10_p": -log_p / np.log(10.0),
        "z_calibrated": calibrated,
        "p_calibrated": p_calibrated,
    }
    rates = {"q_value": q_values(p_value), "q_calibrated": q_values(p_calibrated)}
    genes = genes.with_columns(**{name: pl.Series(values) for name, values in columns.items()})
    counts = ["n_snps_model", "n_snps_gwas", "n_snps_covariance", "n_snps_used"]
    first = ["gene", "name", "z", "effect_size", "var_g", *columns, *counts, "r2", "p_model"]
    genes = genes.select(
        *first, pl.exclude(*first, "phi"), **{q: pl.Series(v) for q, v in rates.items()}
    )
    genes = genes.with_columns(pl.selectors.float().fill_nan(None))
    return genes.sort("neg_log10_p", descending=True, nulls_last=True, maintain_order=True), notes
