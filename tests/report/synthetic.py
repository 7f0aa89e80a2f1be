"""Fits of made-up people and genes, shaped like the real ones."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.artifact import Manifest, create_artifact
from cisgram.personal.fit import VERSION, Fit
from cisgram.personal.fit_config import FitConfig

MODELS = ("elastic-net", "lasso", "ridge", "top-snp")
_SKILL = {"elastic-net": 1.0, "lasso": 0.97, "ridge": 0.93, "top-snp": 0.85}
_WEIGHTS = {"elastic-net": 34, "lasso": 18, "ridge": 300, "top-snp": 1}
_POPULATIONS = {"GBR": 86, "FIN": 89, "TSI": 92, "CEU": 91}


def synthetic_fits(
    n_genes: int = 608, n_people: int = 358, models: tuple[str, ...] = MODELS, seed: int = 7
) -> list[Fit]:
    """Draw fits in which every gene has a share of variance that SNPs explain."""
    rng = np.random.default_rng(seed)
    genes = _genes(n_genes, rng)
    share = rng.beta(0.5, 5.0, n_genes)[:, None]
    genetic = rng.standard_normal((n_genes, n_people))
    measured = np.sqrt(share) * genetic + np.sqrt(1 - share) * rng.standard_normal(genetic.shape)
    measured = measured.astype(np.float32)
    measured[rng.random(measured.shape) < 0.002] = np.nan
    labels = [name for name, n in _POPULATIONS.items() for _ in range(n)]
    populations = tuple(rng.permutation(np.resize(labels, n_people)).tolist())
    folds = rng.permutation(np.arange(n_people) % 5).astype(np.int8)
    fits: list[Fit] = []
    for model in models:
        noise = rng.standard_normal(genetic.shape) * 0.28 / _SKILL[model]
        predictions = (np.sqrt(share) * (np.sqrt(share) * genetic + noise)).astype(np.float32)
        fits.append(
            Fit(
                path=Path(f"fits/{model}"),
                config=FitConfig(model=model),
                cohort=Path("geuvadis-chr22"),
                people=tuple(f"P{person}" for person in range(n_people)),
                populations=populations,
                folds=folds,
                genes=_scores(genes, measured, predictions, model),
                weights=_weights(genes, share[:, 0], _WEIGHTS[model], rng),
                predictions=predictions,
                measured=measured,
                manifest=Manifest(
                    kind="fit",
                    version=1,
                    cisgram="0.1.0",
                    metadata={"run": {"cohort": "0" * 64}},
                    files={},
                ),
            )
        )
    return fits


def _genes(n: int, rng: np.random.Generator) -> pl.DataFrame:
    start = np.sort(rng.integers(16_000_000, 50_000_000, n))
    end = start + rng.integers(900, 90_000, n)
    strand = rng.choice(["+", "-"], n)
    return pl.DataFrame(
        {
            "gene": [f"ENSG{100_000 + i:011d}.{i % 9 + 1}" for i in range(n)],
            "name": [f"GENE{i}" for i in range(n)],
            "chrom": "22",
            "start": start,
            "end": end,
            "tss": np.where(strand == "+", start, end - 1),
            "strand": strand,
        }
    )


def _scores(
    genes: pl.DataFrame, measured: np.ndarray, predictions: np.ndarray, model: str
) -> pl.DataFrame:
    filled = np.where(np.isnan(measured), 0, measured)
    r = np.array([np.corrcoef(y, x)[0, 1] for y, x in zip(filled, predictions, strict=True)])
    z = np.arctanh(r) * np.sqrt(measured.shape[1] - 3)
    p_value = 2 * np.exp(-0.5 * z * z) / (1 + np.abs(z) * 2.5)
    used = np.full(len(r), _WEIGHTS[model])
    return genes.with_columns(
        pl.lit(model).alias("model"),
        pl.Series("pearson", r),
        pl.Series("spearman", r * 0.96),
        pl.Series("r2", r * np.abs(r) - 0.01),
        pl.Series("p_value", np.clip(p_value, 0, 1)),
        pl.lit(5_412).alias("n_snps_window"),
        pl.Series("n_snps_model", used),
        pl.Series("accepted", (r > 0.1) & (p_value < 0.05)),
        pl.lit(0.02).alias("seconds"),
        pl.lit(0.03).alias("cv_r2"),
    )


def _weights(
    genes: pl.DataFrame, share: np.ndarray, n: int, rng: np.random.Generator
) -> pl.DataFrame:
    rows = np.repeat(np.arange(genes.height), n)
    tss = genes["tss"].to_numpy()[rows]
    start = np.clip(tss + (rng.laplace(0, 120_000, len(rows)) // 64 * 64), 1, None).astype(np.int64)
    alleles = rng.permuted(np.tile(np.array(["A", "C", "G", "T"]), (len(rows), 1)), axis=1)
    size = np.sqrt(share[rows]) * rng.gamma(0.6, 0.5, len(rows)) / np.sqrt(n)
    return pl.DataFrame(
        {
            "gene": genes["gene"].to_numpy()[rows],
            "chrom": "22",
            "start": start,
            "id": [f"rs{position}" for position in start],
            "ref": alleles[:, 0],
            "alt": alleles[:, 1],
            "weight": size * rng.choice([-1, 1], len(rows)),
            "mean": 2 * 0.3,
            "frequency": rng.uniform(0.01, 0.99, len(rows)),
        }
    ).unique(["gene", "start", "ref", "alt"], keep="first", maintain_order=True)


def across_populations(fit: Fit) -> Fit:
    """Hold out one population, as a fit that learns from the others does."""
    held_out = np.array(fit.populations) == "FIN"
    nobody = np.where(held_out, 1, np.nan).astype(np.float32)
    return replace(
        fit,
        config=replace(
            fit.config, train_populations=("CEU", "GBR", "TSI"), test_populations=("FIN",)
        ),
        folds=np.where(held_out, 0, -1).astype(np.int8),
        predictions=fit.predictions * nobody,
        measured=fit.measured * nobody,
    )


def write_fit(fit: Fit, path: Path) -> Path:
    """Write a fit as `cisgram personal fit` does, so that it can be opened."""
    metadata = {"cohort": fit.cohort, "config": asdict(fit.config), **fit.manifest.metadata}
    with create_artifact(path, kind="fit", version=VERSION, metadata=metadata) as building:
        people = {"person": fit.people, "population": fit.populations, "fold": fit.folds}
        pl.DataFrame(people).write_parquet(building / "people.parquet")
        fit.genes.write_parquet(building / "genes.parquet")
        fit.weights.write_parquet(building / "weights.parquet")
        np.save(building / "predictions.npy", fit.predictions)
        np.save(building / "measured.npy", fit.measured)
    return path
