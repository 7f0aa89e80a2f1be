"""Covariances and phi of a panel are those of plain numpy, and simulated traits show the phi."""

import gzip
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.genotypes import Genotypes
from cisgram.personal.export import export_predictdb, recalibrate_predictdb
from cisgram.personal.panel import Panel, write_covariances
from linear_models import make_cohort, make_fit, make_store, write_vcf

N_PEOPLE, N_SNPS = 150, 60
MODELS = {"G1": {3: 0.5, 4: -0.25, 9: 1.0}, "G2": {30: 1.0, 31: 0.7}}


def linked(rng: np.random.Generator, n_people: int, n_snps: int) -> np.ndarray:
    """Dosages, people x SNPs, of neighbours in LD."""
    noise = rng.normal(size=(2, n_people, n_snps))
    for i in range(1, n_snps):
        noise[:, :, i] = 0.8 * noise[:, :, i - 1] + 0.6 * noise[:, :, i]
    return (noise > rng.uniform(-0.5, 1.5, n_snps)).sum(axis=0)


def sites(n: int, chrom: str = "22") -> list[tuple[str, int, str, str, str]]:
    return [(chrom, 1000 * (i + 1), f"rs{i}", "A", "G") for i in range(n)]


def phi_by_numpy(snps: np.ndarray, predicted: np.ndarray) -> float:
    n = len(predicted)
    variances = snps.var(axis=0)
    varies = variances > 0
    snps, variances = snps[:, varies], variances[varies]
    r2 = np.array([np.corrcoef(snp, predicted)[0, 1] for snp in snps.T]) ** 2
    return float(np.average(r2 - (1 - r2) / (n - 2), weights=variances))


def read_covariances(path: Path) -> list[list[str]]:
    return [line.split() for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]


def read_phi(path: Path) -> dict[str, float]:
    with closing(sqlite3.connect(path)) as base:
        return dict(base.execute("SELECT gene, phi FROM extra").fetchall())


def as_panel(store: Genotypes, rows: Sequence[int], weights: Sequence[float]) -> Panel:
    snps = {"gene": "G", "name": [f"rs{r}" for r in rows], "row": rows, "weight": weights}
    return Panel(store, None, pl.DataFrame(snps).with_columns(swapped=pl.lit(value=False)))


def test_phi_is_the_slope_of_simulated_polygenic_traits(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    dosages = linked(rng, N_PEOPLE, N_SNPS)
    store = make_store(tmp_path / "store", sites(N_SNPS), dosages.T)
    phi = write_covariances(tmp_path / "c.gz", as_panel(store, [10, 14], [1.0, -0.5]))["G"]
    n_traits, h2 = 20_000, 0.6
    centred = dosages - dosages.mean(axis=0)
    genetic = centred @ rng.normal(size=(N_SNPS, n_traits))
    genetic *= np.sqrt(h2) / genetic.std(axis=0)
    traits = genetic + np.sqrt(1 - h2) * rng.normal(size=genetic.shape)
    predicted = centred[:, 10] - 0.5 * centred[:, 14]
    r = predicted @ (traits - traits.mean(axis=0))
    r /= np.sqrt(predicted @ predicted) * np.sqrt(N_PEOPLE) * traits.std(axis=0)
    z2 = (np.arctanh(r) * np.sqrt(N_PEOPLE - 3)) ** 2
    assert z2.mean() == pytest.approx(1 + N_PEOPLE * h2 * phi, rel=0.04)
    assert phi > 0.01  # a mean z2 far from 1


def test_export_writes_phi_of_the_training_people(tmp_path: Path, rng: np.random.Generator) -> None:
    dosages = linked(rng, N_PEOPLE, N_SNPS)
    far = [*sites(50), *sites(10, "21")]
    cohort = make_cohort(
        make_store(tmp_path / "cohort", far, dosages.T),
        pl.DataFrame({"gene": list(MODELS), "name": list(MODELS), "chrom": "22"}),
        [""] * N_PEOPLE,
    )
    fit = make_fit(cohort, MODELS)
    done = export_predictdb(fit, cohort, tmp_path / "m.db", build="b37")
    assert "60 SNPs of 22, 21" in done.notes[0]
    on_22, variances = dosages[:, :50], dosages.var(axis=0)
    part = variances[:50].sum() / variances.sum()  # what is near, of the trait's effects
    phi = read_phi(done.database)
    for gene, weights in MODELS.items():
        predicted = dosages[:, list(weights)] @ list(weights.values())
        assert phi[gene] == pytest.approx(part * phi_by_numpy(on_22, predicted), rel=1e-5)
    less = export_predictdb(fit, cohort, tmp_path / "l.db", build="b37", share=0.25)
    assert read_phi(less.database)["G1"] == pytest.approx(phi["G1"] / 4)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(
            "CREATE TABLE weights (gene TEXT, rsid TEXT, varID TEXT, ref_allele TEXT, "
            "eff_allele TEXT, weight REAL)"
        )
        base.execute("CREATE TABLE extra (gene TEXT, genename TEXT, `pred.perf.R2` REAL, odd TEXT)")
        base.execute("INSERT INTO extra VALUES ('G1', 'ONE', 0.1, 'kept'), ('G2', 'TWO', 0.2, '')")
        base.executemany(
            "INSERT INTO weights VALUES (?, ?, ?, ?, ?, ?)",
            [
                ("G1", "rs3", "22_4000_A_G_b37", "A", "G", 0.5),
                ("G1", "rs4", "22_5000_G_A_b37", "G", "A", -0.25),  # swapped
                ("G1", "rs999", "22_999_A_G_b37", "A", "G", 1.0),  # not in the panel
                ("G2", "rs30", "22_31000_A_G_b37", "A", "G", 1.0),
            ],
        )
    return path


def test_published_models_get_the_panel_of_any_people(
    tmp_path: Path, rng: np.random.Generator, published: Path
) -> None:
    dosages = linked(rng, N_PEOPLE, N_SNPS)
    dosages[:, 30] = 1  # does not vary
    panel = write_vcf(tmp_path / "panel.vcf", sites(N_SNPS), dosages.T)
    done = recalibrate_predictdb(published, panel, tmp_path / "new.db", build="hg19")
    assert (done.n_weights, done.n_covered) == (4, 3)
    effects = np.stack([dosages[:, 3], 2 - dosages[:, 4]], axis=1)
    rows = read_covariances(done.covariances)
    assert [row[:3] for row in rows] == [
        ["G1", "rs3", "rs3"], ["G1", "rs3", "rs4"], ["G1", "rs4", "rs4"], ["G2", "rs30", "rs30"],
    ]  # fmt: skip
    expected = np.cov(effects.T)[np.triu_indices(2)]
    assert [float(row[3]) for row in rows[:3]] == pytest.approx(expected.tolist())
    phi = read_phi(done.database)
    assert phi["G2"] is None
    assert "1 genes do not vary" in done.notes[-1]
    assert phi["G1"] == pytest.approx(phi_by_numpy(dosages.astype(float), effects @ [0.5, -0.25]))
    with closing(sqlite3.connect(done.database)) as base:
        assert base.execute("SELECT odd FROM extra").fetchone() == ("kept",)
        assert base.execute("SELECT count(*) FROM weights").fetchone() == (4,)


def test_bad_panels_are_refused(tmp_path: Path, published: Path) -> None:
    other = write_vcf(tmp_path / "other.vcf", sites(3, "5"), np.ones((3, 3), np.int64))
    with pytest.raises(DataError, match=r"none of the model's 4 SNPs"):
        recalibrate_predictdb(published, other, tmp_path / "new.db")
    with pytest.raises(ConfigError, match="genome_share must be"):
        recalibrate_predictdb(published, other, tmp_path / "new.db", share=2)
    assert not (tmp_path / "new.db").exists()
