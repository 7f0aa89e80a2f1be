from pathlib import Path

import numpy as np
import pytest

from cisgram.cli.app import main
from cisgram.genome.interval import Interval
from cisgram.predict.gene_places import genes_by_name
from cisgram.predict.genes import gene_window
from cisgram.predict.region_signal import predict_signal, region_of_gene
from predict.toy_reader import GENES, toy_reader, write_toy_model


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_toy_model(tmp_path)
    return tmp_path


def tracks(place: Path, *more: str) -> int:
    words = [
        "explain",
        "tracks",
        "--model",
        str(place / "model"),
        "--genome",
        str(place / "toy.fa"),
    ]
    return main([*words, *more])


@pytest.mark.parametrize("strand", [".", "-"])
def test_signal_is_written_and_drawn(place, capsys, strand):
    region = Interval("c0", 580, 781, strand)
    (place / "sites.bed").write_text("c0\t590\t596\tTATA box\t0\t-\nc1\t590\t596\tfar\t0\t-\n")
    words = ["--region", str(region), "--annotation", str(place / "genes.gff3")]
    words += ["--out", str(place / "s.npz"), "--figure", str(place / "s.svg")]
    assert tracks(place, *words, "--sites", str(place / "sites.bed")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"{region}: 51 bins of 4 bases, 2 tracks, are in ")
    with np.load(place / "s.npz") as arrays:
        assert arrays["names"].tolist() == ["word+", "word-"]
        assert (str(arrays["region"]), int(arrays["resolution"])) == (str(region), 4)
        signal = arrays["signal"]
    expected = predict_signal(toy_reader(), write_toy_model(place / "again"), region)
    np.testing.assert_allclose(signal, expected.signal, rtol=1e-4)
    drawn = (place / "s.svg").read_text()
    assert all(f"<!-- {name} -->" in drawn for name in ("word", "LEF1", "right", "TATA box"))
    assert "<!-- far -->" not in drawn


def test_a_region_of_the_other_strand_is_read_from_its_other_end(place):
    reader, reference = toy_reader(), write_toy_model(place / "again")
    plus, minus = (
        # the bases that one window predicts
        predict_signal(reader, reference, Interval("c0", 600, 696, strand))
        for strand in "+-"
    )
    np.testing.assert_allclose(minus.signal, plus.signal[::-1, ::-1], rtol=1e-3)
    assert abs(plus.signal[:, 0] - plus.signal[:, 1]).max() > 0.01


def test_a_gene_stands_for_all_that_its_window_predicts(place):
    reader, reference = toy_reader(), write_toy_model(place / "again")
    window = gene_window(reader, reference, GENES["right"]).window
    inner = Interval("c0", window.start + reader.margin, window.end - reader.margin, "+")
    assert region_of_gene(reader, reference, GENES["right"]) == inner
    words = ["--gene", "right", "--annotation", str(place / "genes.gff3")]
    assert tracks(place, *words, "--out", str(place / "s.npz")) == 0
    with np.load(place / "s.npz") as arrays:
        assert str(arrays["region"]) == str(inner)
        assert arrays["signal"].shape == (reader.n_bins, 2)


def test_arrays_need_no_genes(place):
    assert tracks(place, "--region", "c0:1-40", "--out", str(place / "s.npz")) == 0
    assert (place / "s.npz").exists()


def test_genes_of_one_name_are_told_apart(place):
    text = (place / "genes.gff3").read_text()
    (place / "twins.gff3").write_text(text.replace("ID=right", "ID=right;Name=LEF1"))
    found = genes_by_name(place / "twins.gff3", write_toy_model(place / "again"))
    assert found == {"LEF1": GENES["left"], "right": GENES["right"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--out s.npz", "give --region or --gene; got neither."),
        ("--region c0:1-40 --gene left --out s.npz", "give --region or --gene; got both."),
        ("--region c0:1-40", "give --out, --figure or both; got neither."),
        ("--region c0:1-40 --out s.tsv", "s.tsv must end in .npz"),
        ("--region c0:1-40 --figure s.png", "add --annotation"),
        ("--region c0:1,990-2,040 --out s.npz", "reaches past the 2,000 bases"),
        ("--region c0:40 --gene", "--gene"),
        ("--gene left --out s.npz", "add --annotation"),
        ("--region c0:1-40 --out s.npz --sites s.bed", "add --figure"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(place, capsys, monkeypatch, words, message):
    monkeypatch.chdir(place)
    before = set(place.rglob("*"))
    assert tracks(place, *words.split()) == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split())
    assert error.count("\n") == 1
    assert set(place.rglob("*")) == before
