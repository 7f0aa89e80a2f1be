"""Summary statistics must say what the people behind them say."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.genotypes import Genotypes, import_genotypes
from cisgram.genome.interval import Interval
from cisgram.personal.gwas import Gwas
from cisgram.personal.predictdb import WeightSet
from cisgram.personal.spredixcan import Associations, associate, read_covariances
from linear_models import make_weights


def correlation_z(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """t of the regression of y on each column of x."""
    x, y = x - x.mean(axis=0), y - y.mean()
    r = y @ x / np.sqrt((x**2).sum(axis=0) * (y @ y))
    return r * np.sqrt((len(y) - 2) / (1 - r**2))


def make_gwas(variants: pl.DataFrame, n: float | None = None) -> Gwas:
    empty = {"beta": pl.lit(None, pl.Float64)} if "beta" not in variants.columns else {}
    return Gwas(variants.with_columns(**empty), n, "gwas.tsv", {}, ())


def write_covariances(path: Path, genes: dict[str, tuple[Sequence[str], np.ndarray]]) -> Path:
    lines = ["GENE RSID1 RSID2 VALUE"]
    for gene, (names, matrix) in genes.items():
        lines += [
            f"{gene} {names[i]} {names[j]} {matrix[i, j]:.12g}"
            for i in range(len(names)) for j in range(i, len(names))
        ]  # fmt: skip
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


@dataclass(frozen=True)
class Panel:
    weights: WeightSet
    covariances: Path
    dosages: dict[str, np.ndarray]
    predicted: np.ndarray
    gwas: Gwas
    trait: np.ndarray


@pytest.fixture(scope="module")
def panel(geuvadis: Any, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """80 genes of 15 real SNPs each on chromosome 22, and a trait of five of the genes."""
    directory = tmp_path_factory.mktemp("panel")
    rng = np.random.default_rng(7)
    people, _ = import_genotypes(
        geuvadis.genotypes, directory / "store", region=Interval("22", 20_000_000, 28_000_000)
    )
    store = Genotypes.open(directory / "store", people)
    rows: list[dict[str, object]] = []
    dosages: dict[str, np.ndarray] = {}
    covariances: dict[str, tuple[Sequence[str], np.ndarray]] = {}
    used: list[np.ndarray] = []
    for gene in (f"G{i}" for i in range(80)):
        first = int(rng.integers(0, store.variants.height - 400))
        snps = np.sort(rng.choice(400, 15, replace=False) + first)
        x = store.dosages(snps).astype(float)
        for site in store.variants[snps].iter_rows(named=True):
            rows.append(
                {
                    "gene": gene, "rsid": site["id"], "chrom": "chr22", "start": site["start"],
                    "var_id": f"chr22_{site['start'] + 1}_{site['ref']}_{site['alt']}_b37",
                    "ref": site["ref"], "eff": site["alt"], "weight": float(rng.normal()),
                }
            )  # fmt: skip
        dosages[gene] = x
        covariances[gene] = (store.variants["id"][snps].to_list(), np.cov(x.T))
        used.append(snps)
    weights = make_weights(rows, build="b37")
    by_gene = weights.weights.partition_by("gene", maintain_order=True)
    predicted = np.stack(
        [dosages[str(part["gene"][0])] @ part["weight"].to_numpy() for part in by_gene], axis=1
    )
    scaled = (predicted - predicted.mean(axis=0)) / predicted.std(axis=0)
    trait = 0.15 * scaled[:, :5].sum(axis=1) + rng.normal(size=len(people))
    snps = np.unique(np.concatenate(used))
    x = store.dosages(snps).astype(float)
    centred = x - x.mean(axis=0)
    beta = (trait - trait.mean()) @ centred / (centred**2).sum(axis=0)
    variants = store.variants[snps].select("id", "chrom", "start", "ref", "alt")
    gwas = make_gwas(variants.with_columns(z=correlation_z(x, trait), beta=beta))
    path = write_covariances(directory / "models.txt.gz", covariances)
    return Panel(weights, path, dosages, predicted, gwas, trait)


def in_order(found: Associations, panel: Panel) -> pl.DataFrame:
    return panel.weights.genes.select("gene").join(
        found.genes, on="gene", how="left", maintain_order="left"
    )


def test_summary_z_is_individual_z(panel: Panel) -> None:
    found = in_order(associate(panel.weights, panel.gwas, panel.covariances), panel)
    individual = correlation_z(panel.predicted, panel.trait)
    z = found["z"].to_numpy()
    assert np.abs(individual).max() > 3
    assert np.corrcoef(z, individual)[0, 1] > 0.99
    assert np.polyfit(individual, z, 1)[0] == pytest.approx(1, abs=0.03)
    centred = panel.predicted - panel.predicted.mean(axis=0)
    effect = panel.trait @ centred / (centred**2).sum(axis=0)
    np.testing.assert_allclose(found["effect_size"].to_numpy(), effect, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found["var_g"].to_numpy(), panel.predicted.var(axis=0, ddof=1))
    np.testing.assert_allclose(found["p_value"].to_numpy(), 2 * norm.sf(np.abs(z)))


def swap(gwas: Gwas, which: np.ndarray) -> Gwas:
    chosen = pl.Series(which)
    sign = pl.when(chosen).then(-1.0).otherwise(1.0)
    swapped = gwas.variants.with_columns(
        pl.col("z", "beta") * sign,
        ref=pl.when(chosen).then("alt").otherwise("ref"),
        alt=pl.when(chosen).then("ref").otherwise("alt"),
    )
    return make_gwas(swapped)


def test_swapped_alleles_give_the_identical_z(panel: Panel, rng: np.random.Generator) -> None:
    columns = ["gene", "z", "effect_size", "n_snps_used"]
    original = associate(panel.weights, panel.gwas, panel.covariances, ambiguous="same-strand")
    half = swap(panel.gwas, rng.random(panel.gwas.variants.height) < 0.5)
    swapped = associate(panel.weights, half, panel.covariances, ambiguous="same-strand")
    assert swapped.genes.select(columns).equals(original.genes.select(columns))
    assert swapped.genes["n_swapped"].sum() > 300
    original = associate(panel.weights, panel.gwas, panel.covariances)
    everything = swap(panel.gwas, np.ones(panel.gwas.variants.height, bool))
    swapped = associate(panel.weights, everything, panel.covariances)
    assert swapped.genes.select(columns).equals(original.genes.select(columns))
    assert (swapped.genes["n_swapped"] == swapped.genes["n_snps_model"]).all()


def test_other_strand_gives_the_identical_z(panel: Panel) -> None:
    pairs = pl.col("ref") + pl.col("alt")
    clear = panel.gwas.variants.filter(~pairs.is_in(["AT", "TA", "CG", "GC"]))
    other = clear.with_columns(
        pl.col("ref", "alt").replace_strict({"A": "T", "C": "G", "G": "C", "T": "A"})
    )
    original = associate(panel.weights, make_gwas(clear), panel.covariances)
    flipped = associate(panel.weights, make_gwas(other), panel.covariances)
    assert flipped.genes["z"].equals(original.genes["z"])
    assert flipped.genes["n_flipped"].sum() == flipped.genes["n_snps_used"].sum()


def small(tmp_path: Path) -> tuple[WeightSet, Gwas, Path]:
    rows = [
        {"gene": gene, "rsid": name, "ref": "A", "eff": "G", "weight": weight}
        for gene, name, weight in [
            ("two", "rs1", 1.0), ("two", "rs2", -2.0), ("single", "rs3", -0.5),
            ("flat", "rs4", 1.0), ("cancel", "rs1", 1.0), ("cancel", "rs6", -1.0),
            ("lost", "rs7", 1.0), ("part", "rs1", 1.0), ("part", "rs8", 1.0), ("part", "rs9", 1.0),
        ]
    ]  # fmt: skip
    weights = make_weights(rows)
    variants = pl.DataFrame(
        {
            "id": ["rs1", "rs2", "rs3", "rs4", "rs6", "rs8"], "ref": "A", "alt": "G",
            "z": [2.0, -1.0, 40.0, 1.0, 2.0, 3.0],
        }
    ).with_columns(chrom=pl.lit(None, pl.String), start=pl.lit(None, pl.Int64))  # fmt: skip
    covariances = write_covariances(
        tmp_path / "small.txt.gz",
        {
            "two": (["rs1", "rs2"], np.array([[0.5, 0.1], [0.1, 0.25]])),
            "other": (["rs1"], np.array([[1.0]])),
            "single": (["rs3"], np.array([[0.4]])),
            "flat": (["rs4"], np.array([[0.0]])),
            "cancel": (["rs1", "rs6"], np.full((2, 2), 0.3)),
            "part": (["rs1", "rs9"], np.array([[0.5, 0.2], [0.2, 0.5]])),
        },
    )
    return weights, make_gwas(variants, 1000.0), covariances


def test_small_genes_by_hand(tmp_path: Path) -> None:
    weights, gwas, covariances = small(tmp_path)
    found = associate(weights, gwas, covariances)
    rows = {row["gene"]: row for row in found.genes.iter_rows(named=True)}
    variance = 0.5 + 4 * 0.25 - 4 * 0.1
    expected = (np.sqrt(0.5) * 2 + 2 * np.sqrt(0.25)) / np.sqrt(variance)
    assert rows["two"]["z"] == pytest.approx(expected)
    assert rows["two"]["var_g"] == pytest.approx(variance)
    assert rows["single"]["z"] == pytest.approx(-40)
    assert rows["single"]["p_value"] == pytest.approx(7.3e-350, abs=1e-300)
    assert rows["single"]["neg_log10_p"] == pytest.approx(349.137, abs=0.01)
    assert [rows[gene]["z"] for gene in ("flat", "cancel", "lost")] == [None] * 3
    assert rows["part"]["z"] == pytest.approx(2.0)
    counts = [f"n_snps_{name}" for name in ("model", "gwas", "covariance", "used")]
    assert [rows["part"][name] for name in counts] == [3, 2, 2, 1]
    assert [rows["lost"][name] for name in counts] == [1, 0, 0, 0]
    assert found.genes["gene"][0] == "single"
    assert any("not calibrated" in note and "h2" in note for note in found.notes)
    assert found.write(tmp_path / "out.tsv") == tmp_path / "out.snps.tsv"
    assert "NA" in (tmp_path / "out.tsv").read_text()
    listed = pl.read_csv(tmp_path / "out.snps.tsv", separator="\t", null_values="NA")
    assert listed.filter(gene="part").select("rsid", "outcome", "z").rows() == [
        ("rs1", "used", 2.0), ("rs8", "no covariance", 3.0), ("rs9", "absent", None),
    ]  # fmt: skip


def test_false_discovery_rates_by_hand(tmp_path: Path) -> None:
    found = associate(*small(tmp_path)).genes
    p = dict(found.select("gene", "p_value").rows())
    expected = {"single": 0.0, "two": p["two"] * 3 / 2, "part": p["part"]}  # of 3 genes tested
    q = dict(found.select("gene", "q_value").rows())
    assert {gene: q[gene] for gene in expected} == pytest.approx(expected, abs=1e-12)
    assert {q[gene] for gene in ("flat", "cancel", "lost")} == {None}


def test_calibration_divides_by_the_inflation(tmp_path: Path) -> None:
    weights, gwas, covariances = small(tmp_path)
    phi = pl.Series("phi", [1e-3, -1e-3, 0.0, None, None, None])
    weights = WeightSet(weights.genes.with_columns(phi), weights.weights)
    found = associate(weights, gwas, covariances, h2=0.5)
    rows = {row["gene"]: row for row in found.genes.iter_rows(named=True)}
    assert rows["two"]["z_calibrated"] == pytest.approx(rows["two"]["z"] / np.sqrt(1.5))
    assert rows["single"]["z_calibrated"] == pytest.approx(-40)
    assert rows["part"]["z_calibrated"] is None
    again = associate(weights, gwas, covariances, n=4000, h2=0.5)
    assert again.genes.filter(gene="two")["z_calibrated"].item() == pytest.approx(
        rows["two"]["z"] / np.sqrt(3)
    )
    assert not any("calibrated" in note for note in found.notes)
    with pytest.raises(ConfigError, match="h2 must be between"):
        associate(weights, gwas, covariances, h2=50)


def test_covariances_may_be_named_by_variant(tmp_path: Path) -> None:
    rows = [{"gene": "g", "rsid": "rs1", "var_id": "chr1_5_A_G_b38", "chrom": "chr1", "start": 4,
             "ref": "A", "eff": "G", "weight": 2.0}]  # fmt: skip
    path = write_covariances(tmp_path / "c.txt.gz", {"g": (["chr1_5_A_G_b38"], np.eye(1))})
    variants = pl.DataFrame(
        {"id": ["rs1"], "chrom": ["1"], "start": [4], "ref": ["G"], "alt": ["A"], "z": [3.0]}
    )
    found = associate(make_weights(rows), make_gwas(variants), path)
    assert found.genes["z"].to_list() == pytest.approx([-3.0])


def test_covariances_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    genes = {
        f"g{i}": ([f"rs{i}_{j}" for j in range(i % 7 + 1)], rng.normal(size=(7, 7)))
        for i in range(40)
    }
    path = write_covariances(tmp_path / "c.txt.gz", genes)
    whole = dict(read_covariances(path))
    monkeypatch.setattr("cisgram.genome.streams._CHUNK", 97)
    pieces = dict(read_covariances(path))
    assert list(pieces) == list(genes)
    for gene, (names, matrix) in genes.items():
        upper = np.triu(matrix[: len(names), : len(names)])
        expected = upper + np.triu(upper, 1).T
        np.testing.assert_allclose(pieces[gene].values, expected, rtol=1e-9)
        np.testing.assert_array_equal(pieces[gene].values, whole[gene].values)
        assert list(pieces[gene].rows) == list(names)
    assert set(dict(read_covariances(path, genes={"g3", "none"}))) == {"g3"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene a b value\n", "must begin with GENE RSID1 RSID2 VALUE"),
        ("GENE RSID1 RSID2 VALUE\ng rs1 rs1 much\n", "has a line that is not"),
        ("GENE RSID1 RSID2 VALUE\ng rs1\n", "line"),
        ("GENE RSID1 RSID2 VALUE\ng r r 1\nh r r 1\ng s s 1\nk s s 1\n", "gene g in two places"),
        ("GENE RSID1 RSID2 VALUE\ntwo r s 1\ntwo s r 2\n", "two values for r and s of gene two"),
        ("GENE RSID1 RSID2 VALUE\ng rs99 rs99 1\n", "none of the models' SNPs"),
        ("GENE RSID1 RSID2 VALUE\n", "none of the models' SNPs"),
    ],
)
def test_bad_covariances_are_explained(tmp_path: Path, text: str, message: str) -> None:
    weights, gwas, _ = small(tmp_path)
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as error:
        associate(weights, gwas, path)
    assert "\n" not in str(error.value)
