"""Every command that asks a model takes every kind of model: the matrix of verbs and models."""

import gzip
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from cisgram.cli.app import main
from cisgram.data.outputs import Outputs
from cisgram.models.hub import save_model
from cisgram.models.registry import build_model, model_config
from models.tiny import tiny_lm
from parity.keras_files import TINY_LM, random_weights, write_keras
from training.small_targets import SIZES, write_sources

pytestmark = pytest.mark.whole

TRACKS = Outputs(
    row="bin",
    names=("word+", "word-"),
    gene_targets=("worth",),
    resolution=4,
    margin=16,
    activation="softplus",
    both_strands=True,
)
OF_WINDOW = Outputs(row="window", names=("high", "low"))
KINDS = ("language", "tracks", "window")
READOUTS = {
    "language": ("masked", "pseudo-likelihood", "embedding-distance"),
    "tracks": ("gene", "tracks", "mean", "embedding-distance"),
    "window": ("outputs", "embedding-distance"),
}
GENOME = "--genome toy.fa --annotation toy.gff3"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome with genes, a VCF, a BED, and a tiny model of each kind."""
    place = tmp_path_factory.mktemp("verbs")
    write_sources(place)
    torch.manual_seed(0)
    sizes = model_config("shorkie", SIZES, "[model]")
    save_model(place / "language", tiny_lm(), card={})
    save_model(place / "tracks", build_model("shorkie", sizes, TRACKS), card={})
    cnn = model_config("dilated-cnn", {"window": 64, "channels": 8, "dilations": [2]}, "[model]")
    save_model(place / "window", build_model("dilated-cnn", cnn, OF_WINDOW), card={})
    sequence = (place / "toy.fa").read_text().split("\n")[1]
    records = [f"c0\t{at + 1}\t.\t{sequence[at]}\t{other(sequence[at])}" for at in (99, 119)]
    records.append(f"c0\t141\t.\t{sequence[140]}\t{sequence[140]}AC")
    header = "##fileformat=VCFv4.2\n##contig=<ID=c0,length=2000>\n"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    body = "".join(f"{record}\t.\t.\t.\n" for record in records)
    (place / "three.vcf").write_text(header + columns + body)
    (place / "two.bed").write_text("c0\t100\t132\tp1\t0\t+\nc1\t200\t232\tp2\t0\t-\n")
    return place


@pytest.fixture
def place(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(models)
    return models


def other(base: str) -> str:
    return "C" if base == "A" else "A"


def run(text: str) -> None:
    assert main(text.split()) == 0, text


@pytest.mark.parametrize("kind", KINDS)
def test_predict_and_embed(place: Path, kind: str) -> None:
    run(f"predict --model {kind} {GENOME} --bed two.bed --out {kind}.tsv")
    table = pl.read_csv(place / f"{kind}.tsv", separator="\t")
    assert table["name"].to_list() == ["p1", "p2"]
    assert table.select(pl.col(pl.Float64).is_finite().all()).row(0)
    run(f"embed --model {kind} {GENOME} --bed two.bed --out {kind}.npz")
    with np.load(place / f"{kind}.npz") as stored:
        assert stored["names"].tolist() == ["p1", "p2"]
        assert np.isfinite(stored["values"]).all()


def test_predictions_and_embeddings_as_anndata(place: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for verb in ("predict", "embed"):
        run(f"{verb} --model window {GENOME} --bed two.bed --out {verb}.h5ad")
    run(f"predict --model window {GENOME} --bed two.bed --out plain.tsv")
    with h5py.File(place / "predict.h5ad") as file, h5py.File(place / "embed.h5ad") as embedded:
        assert file["obs/name"].asstr()[()].tolist() == ["p1", "p2"]
        assert embedded["obs/start"][()].tolist() == [100, 200]
        assert embedded["X"].shape[1] == len(embedded["var/_index"])
        columns = file["var/_index"].asstr()[()].tolist()
        table = pl.read_csv(place / "plain.tsv", separator="\t").select(columns)
        assert file["X"][()] == pytest.approx(table.to_numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "readout"), [(kind, name) for kind in KINDS for name in READOUTS[kind]]
)
def test_variants_by_every_readout(place: Path, kind: str, readout: str) -> None:
    out = place / f"{kind}.{readout}.tsv"
    run(f"variants score --model {kind} {GENOME} --vcf three.vcf --readout {readout} --out {out}")
    table = pl.read_csv(out, separator="\t")
    assert {"chrom", "pos", "ref", "alt"} < set(table.columns)
    assert set(table["pos"]) >= ({100, 120} if readout == "masked" else {100, 120, 141})


def test_inputs_may_be_pipes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "variants score --model tracks --annotation toy.gff3 --readout tracks"
    run(f"{line} --vcf three.vcf --genome toy.fa --out plain.tsv")
    packed = gzip.compress((place / "three.vcf").read_bytes())
    with piped(place / "v", packed), piped(place / "g", (place / "toy.fa").read_bytes()):
        run(f"{line} --vcf v --genome g --out piped.tsv")
    assert (place / "piped.tsv").read_bytes() == (place / "plain.tsv").read_bytes()
    with piped(place / "v", packed[:-20]):
        assert main(f"{line} --vcf v --genome toy.fa --out cut.tsv".split()) == 2
    assert "the header of v cannot be read" in capsys.readouterr().err


@contextmanager
def piped(path: Path, content: bytes) -> Iterator[None]:
    """Give bytes to whoever reads a pipe."""
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    yield
    writer.join()
    path.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_mutagenesis_agrees_with_variants(place: Path, kind: str) -> None:
    run(f"explain ism --model {kind} {GENOME} --region c0:100-100 --out {kind}.ism.npz")
    run(f"variants score --model {kind} {GENOME} --vcf three.vcf --out {kind}.effects.tsv")
    scored = pl.read_csv(place / f"{kind}.effects.tsv", separator="\t").filter(pos=100)
    with np.load(place / f"{kind}.ism.npz") as stored:
        effects, names, subject = (
            stored["all_effects"],
            stored["outputs"].tolist(),
            stored["subject"],
        )
    if "gene" in scored.columns:
        scored = scored.filter(gene=str(subject))
    column = "ACGT".index(scored["alt"][0])
    found = dict(scored.select("output", "effect").iter_rows())
    for name in names:
        assert effects[0, column, names.index(name)] == pytest.approx(found[name], abs=2e-4)


@pytest.mark.parametrize("kind", ["tracks", "window"])
def test_attribution(place: Path, kind: str) -> None:
    out = place / f"{kind}.attribute.npz"
    run(f"explain attribute --model {kind} {GENOME} --region c0:100-119 --out {out}")
    with np.load(out) as stored:
        assert stored["contributions"].shape == (20,)
        assert stored["hypothetical"].shape == (20, 4)


def test_models_list_show_and_convert(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("models list --json list.json")
    listed = json.loads((place / "list.json").read_text())
    wanted = {"name", "kind", "trained", "outputs", "n_parameters", "licence", "runs_here"}
    assert all(set(row) == wanted for row in listed)
    assert {row["name"] for row in listed} >= {"cisgram/yeast-lm", "cisgram/yeast-expression"}
    run("models show tracks --json show.json")
    assert json.loads((place / "show.json").read_text())["bytes"] > 0
    write_keras(place / "k.h5", TINY_LM, random_weights(TINY_LM, np.random.default_rng(0)))
    run("models convert k.h5 --out k")
    run("models show k")
    assert "shorkie" in capsys.readouterr().out


def test_byte_pairs_are_learnt_embedded_and_give_no_single_bases(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bpe.json"
    run(f"data vocabulary toy.fa --out {file} --size 60 --contigs c0")
    tokenizer = {"kind": "bpe", "file": str(file)}
    sizes = {"window": 64, "channels": 8, "n_layers": 1, "n_heads": 2, "feed_channels": 8}
    config = model_config("bert", sizes | {"tokenizer": tokenizer}, "[model]")
    save_model(tmp_path / "pairs", build_model("bert", config, Outputs.of_bases()), card={})
    asked = f"--model {tmp_path}/pairs --genome toy.fa"
    readout = f"--readout embedding-distance --out {tmp_path}/s.tsv"
    run(f"variants score --vcf three.vcf {asked} {readout}")
    table = pl.read_csv(tmp_path / "s.tsv", separator="\t").filter(output="euclidean")
    assert (table["effect"] > 0).all()
    capsys.readouterr()
    for command in (
        f"explain logo {asked} --region c0:101-160 --out {tmp_path}/l.svg",
        f"variants score --vcf three.vcf {asked} --out {tmp_path}/m.tsv",
        f"bench run perplexity --model {tmp_path}/pairs --genome toy.fa --contigs c0 "
        f"--out {tmp_path}/b",
    ):
        assert main(command.split()) == 2
        said = capsys.readouterr().err.strip()
        assert "byte pairs give no probabilities of single bases" in " ".join(said.split())
        assert "Traceback" not in said
