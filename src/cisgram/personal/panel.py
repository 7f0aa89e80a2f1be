"""What a panel of people says of models: covariances of their SNPs, and `phi` for calibration.

Under a polygenic trait that has nothing to do with a gene, the z-score of the gene has variance
1 + N h2 phi: N people of the GWAS, h2 the trait's heritability (Liang et al. 2023,
https://doi.org/10.1101/2023.10.17.562831). There phi is measured on simulated traits whose
effects per allele are independent normal numbers. Its expectation needs no simulation: it is
the mean over all SNPs of r^2 with the gene's prediction, weighted by the variances of the SNPs.
"""

import gzip
import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from cisgram.core.checks import DataError
from cisgram.core.progress import progress
from cisgram.genome.genotypes import Genotypes, import_genotypes
from cisgram.personal.harmonize import harmonize
from cisgram.personal.predictdb import WeightSet, centre_dosages

_REACH = 1_000_000  # bases beyond the model's SNPs; what lies further off adds noise alone
_BLOCK = 1 << 23  # dosages in memory at once
_FEWEST = 3  # people; the correction of r^2 divides by two fewer

Centred = Float64[np.ndarray, "people snps"]


@dataclass(frozen=True)
class Panel:
    """People whose linkage disequilibrium stands for that of a GWAS."""

    genotypes: Genotypes
    people: Int64[np.ndarray, "people"] | None
    """Rows of the people taken; all when None."""
    snps: pl.DataFrame
    """A row a SNP of a model that the panel has: `gene name row swapped weight`, where `row` is
    that of the genotypes and `swapped` says that the model counts the reference allele."""
    notes: tuple[str, ...] = ()

    def centred(self, rows: slice | Int64[np.ndarray, "snps"]) -> Centred:
        """Return dosages less their means; an unknown dosage is 0."""
        return centre_dosages(self.genotypes.dosages(rows, self.people))


@contextmanager
def open_panel(source: Path | str, weights: WeightSet, *, build: str = "") -> Generator[Panel]:
    """Read the genotypes of a panel through a temporary store and find the models' SNPs.

    Raises:
        DataError: no more SNPs of the models than by chance are in the panel.
    """
    with TemporaryDirectory(prefix="cisgram-") as directory:
        people, _ = import_genotypes(source, directory)
        genotypes = Genotypes.open(Path(directory), people)
        found = harmonize(weights, genotypes.variants, what=f"LD panel {source}", build=build)
        snps = found.snps.filter(pl.col("row").is_not_null()).select(
            "gene", pl.col("row").cast(pl.Int64), "swapped", "weight",
            name=pl.coalesce("rsid", "var_id"),
        )  # fmt: skip
        yield Panel(genotypes, None, snps, found.notes)


def write_covariances(path: Path, panel: Panel, *, share: float = 1.0) -> dict[str, float]:
    """Write the covariances of every model's dosages, and return `phi` of every gene.

    The text is gzipped `GENE RSID1 RSID2 VALUE`, upper triangle with the diagonal, dosages those
    of the effect alleles.

    Args:
        path: where the text goes.
        panel: people and SNPs.
        share: of the heritability of a whole genome, what lies on the panel's SNPs; phi is
            multiplied by it.
    """
    for names in (panel.snps["gene"], panel.snps["name"]):
        if (odd := names.filter(names.str.contains(r"\s"))).len():
            raise DataError(
                f"{odd[0]!r} has a blank in it, and blanks separate the columns of covariances; "
                "rename it."
            )
    total, phi = _variance_of_all(panel), dict[str, float]()
    genes = panel.snps.partition_by("gene", maintain_order=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream,
        progress("covariances of genes", len(genes)) as ticker,
    ):
        stream.write(b"GENE RSID1 RSID2 VALUE\n")
        for snps in genes:
            gene, sign = snps["gene"][0], np.where(snps["swapped"].to_numpy(), -1.0, 1.0)
            centred = panel.centred(snps["row"].to_numpy()) * sign
            for lines in _covariance_lines(gene, snps["name"].to_list(), centred):
                stream.write(lines.encode())
            explained = _explained(panel, snps["row"], centred @ snps["weight"].to_numpy())
            phi[gene] = share * max(explained, 0.0) / total if total else np.nan
            ticker.advance()
    return phi


def _covariance_lines(gene: str, names: list[str], centred: Centred) -> Iterator[str]:
    """Yield one text a SNP: its covariance with itself and with every later SNP."""
    scale = max(len(centred) - 1, 1)
    for i, name in enumerate(names):
        values = centred[:, i] @ centred[:, i:] / scale
        rows = zip(itertools.repeat(f"{gene} {name}"), names[i:], values, strict=False)
        yield "".join(f"{head} {other} {value:.10g}\n" for head, other, value in rows)


def _variance_of_all(panel: Panel) -> float:
    """Return the summed variance of every SNP's dosage."""
    n_snps = panel.genotypes.variants.height
    step = max(1, _BLOCK // len(panel.genotypes.people))
    total = 0.0
    with progress("variances of SNPs", n_snps) as ticker:
        for start in range(0, n_snps, step):
            total += float((panel.centred(slice(start, start + step)) ** 2).sum())
            ticker.advance(min(step, n_snps - start))
    return total


def _explained(panel: Panel, rows: pl.Series, predicted: Float64[np.ndarray, "people"]) -> float:
    """Return the summed square of the SNPs near a model that its prediction explains.

    Chance explains 1 / (n - 1) of a SNP in a sample; r^2 - (1 - r^2) / (n - 2) is free of it.
    NaN for a prediction that does not vary, and for fewer than three people.
    """
    n, variance = len(predicted), float(predicted @ predicted)
    if n < _FEWEST or variance == 0:
        return np.nan
    explained = 0.0
    places = panel.genotypes.variants[rows].group_by("chrom").agg(
        low=pl.col("start").min(), high=pl.col("start").max()
    )  # fmt: skip
    for chrom, low, high in places.sort("chrom").iter_rows():
        near = panel.genotypes.rows(chrom, low - _REACH, high + _REACH + 1)
        step = max(1, _BLOCK // n)
        for start in range(near.start, near.stop, step):
            dosages = panel.centred(slice(start, min(start + step, near.stop)))
            squares = (predicted @ dosages) ** 2 / variance
            whole = (dosages**2).sum(axis=0)
            explained += float((squares - (whole - squares) / (n - 2)).sum())
    return explained
