from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from cisgram.cli.app import main
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.bigwig import BigWig
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.checkpoint import save_model
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig
from cisgram.predict.genes import GeneReadout, gene_window, predict_genes, read_gene
from cisgram.predict.region_tracks import predict_regions
from cisgram.predict.tracks import TrackReader
from train.small_targets import LENGTH, SIZES, write_sources

CARD = {
    "columns": {
        "tracks": ["word+", "word-", "both"],
        "values": ["worth", "age"],
        "upstream": [16, 16, 0],
    },
    "scaling": {
        "power": 0.5,
        "tracks": {"word+": 2.0, "word-": 2.0, "both": 1.0},
        "values": {"worth": [1.0, 3.0], "age": [0.0, 1.0]},
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tracks")
    write_sources(directory)
    torch.manual_seed(0)
    model = ShorkieTracks(ShorkieTracksConfig(**SIZES, n_tracks=3, n_values=2))
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.3)
    save_model(directory / "model", model, card=CARD)
    return directory


@pytest.fixture(scope="module")
def reader(place: Path) -> TrackReader:
    return TrackReader.open(place / "model")


@pytest.fixture(scope="module")
def reference(place: Path) -> Reference:
    return Reference.from_fasta(place / "toy.fa", place / "reference")


def test_a_window_and_its_reverse_complement_say_the_same(
    reader: TrackReader, reference: Reference
) -> None:
    window = reference.fetch(Interval("c0", 300, 428))[None]
    forward, backward = reader.read(window), reader.read(reverse_complement(window))
    assert forward.tracks.shape == (1, 24, 3)
    turned = backward.tracks[:, ::-1, [1, 0, 2]]
    np.testing.assert_allclose(forward.tracks, turned, rtol=1e-4)
    np.testing.assert_allclose(forward.values, backward.values[:, ::-1, ::-1], rtol=1e-4)


def test_outputs_are_brought_back_to_what_was_learnt_from(
    reader: TrackReader, reference: Reference
) -> None:
    window = reference.fetch(Interval("c0", 300, 428))
    both = np.stack([window, reverse_complement(window)])
    with torch.inference_mode():
        raw = reader.model(torch.from_numpy(both)).numpy()
    both = np.stack([raw[0], raw[1][::-1, [1, 0, 2, 5, 6, 3, 4]]])
    mean, counts = both.mean(axis=0), ((both[..., :3] * [2, 2, 1]) ** 2).mean(axis=0)
    read = reader.read(window[None])
    np.testing.assert_allclose(read.tracks[0], counts, rtol=1e-4)
    np.testing.assert_allclose(read.values[0, :, 0, 0], mean[:, 3] * 3 + 1, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(read.values[0, :, 1, 1], mean[:, 6], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize(("start", "end"), [(0, 40), (600, 640), (1_990, 2_000), (700, 1_100)])
def test_a_gene_lies_where_its_bins_say(
    reader: TrackReader, reference: Reference, start: int, end: int, strand: str
) -> None:
    gene = Interval("c0", start, end, strand)
    place = gene_window(reader, reference, gene)
    window, first, past = place.window, place.first, place.past
    assert 0 <= window.start < window.end <= LENGTH
    assert 0 <= first < past <= reader.n_bins
    low, high = window.locate(gene)
    inside = range(max(low, reader.margin), min(high, reader.model.window - reader.margin))
    bins = {(place - reader.margin) // reader.model.resolution for place in inside}
    assert not bins or bins == set(range(first, past))


def test_genes_get_what_their_bins_say_on_their_strand(
    reader: TrackReader, reference: Reference
) -> None:
    genes = [Interval("c0", 600, 640, "+"), Interval("c0", 600, 640, "-")]
    found = predict_genes(reader, reference, genes)
    assert reader.columns.of_a_gene == ("worth", "age", "word+", "both")
    place = gene_window(reader, reference, genes[1])
    read = reader.read(reference.fetch(place.window)[None])
    body = slice(place.first, place.past)
    own = read.values[0, body, 0].mean(axis=0)
    np.testing.assert_allclose(found[1, :2], own, rtol=1e-4, atol=1e-5)
    n_before = 16 // reader.model.resolution
    word = read.tracks[0, place.first - n_before : place.past, 0].sum()
    expected = [word, read.tracks[0, body, 2].sum()]
    np.testing.assert_allclose(found[1, 2:], expected, rtol=1e-4)
    assert not np.allclose(found[0], found[1])


def test_edited_windows_are_read_as_genes_are(reader: TrackReader, reference: Reference) -> None:
    gene = Interval("c0", 600, 640, "-")
    place = gene_window(reader, reference, gene)
    windows = np.stack([reference.fetch(place.window)] * 2)
    found = read_gene(GeneReadout(reader, place), windows)
    np.testing.assert_allclose(found[:1], predict_genes(reader, reference, [gene]), rtol=1e-4)
    np.testing.assert_array_equal(found[0], found[1])


def test_regions_are_read_window_after_window(reader: TrackReader, reference: Reference) -> None:
    forward, backward = predict_regions(
        reader, reference, [Interval("c0", 200, 392, "+"), Interval("c0", 200, 392, "-")]
    )
    assert forward.shape == (48, 3)
    # Both tile alike: two windows of 24 bins of 4 bases.
    np.testing.assert_allclose(forward, backward[::-1][:, [1, 0, 2]], rtol=1e-4)
    middle = reader.read(reference.fetch(Interval("c0", 280, 408))[None])
    np.testing.assert_allclose(forward[24:], middle.tracks[0], rtol=1e-4)


def test_a_short_region_lies_in_the_middle_of_its_window(reader: TrackReader, place: Path) -> None:
    reference = open_reference(place / "toy.fa")
    (found,) = predict_regions(reader, reference, [Interval("c0", 300, 340)])
    # Of 24 bins of 4 bases, 7 lie before these ten.
    start = 300 - 7 * 4 - reader.margin
    around = reader.read(reference.fetch(Interval("c0", start, start + reader.model.window))[None])
    np.testing.assert_allclose(found, around.tracks[0, 7:17], rtol=1e-4)


@pytest.mark.whole
def test_the_command_writes_tables_and_signal(place: Path, tmp_path: Path) -> None:
    common = ["predict", "--model", str(place / "model")]
    genome = ["--genome", str(place / "toy.fa")]
    genes = tmp_path / "genes.tsv"
    words = ["--annotation", str(place / "toy.gff3"), "--genes", "all", "--out", str(genes)]
    assert main([*common, *genome, *words]) == 0
    table = pl.read_csv(genes, separator="\t")
    assert table.columns[:6] == ["gene", "chrom", "start", "end", "strand", "worth"]
    assert table.height == 4 * 49
    bed = tmp_path / "regions.bed"
    bed.write_text("c0\t200\t392\tone\nc1\t0\t10\ttwo\n")
    regions, signal = tmp_path / "regions.tsv", tmp_path / "signal"
    words = ["--bed", str(bed), "--out", str(regions), "--out-bigwig", str(signal)]
    assert main([*common, *genome, *words]) == 0
    reader, reference = TrackReader.open(place / "model"), open_reference(place / "toy.fa")
    expected = predict_regions(reader, reference, [Interval("c0", 200, 392)])[0]
    with BigWig(signal / "word-.bw") as file:
        found = file.values(Interval("c0", 200, 392)).reshape(-1, 4).sum(axis=1)
    np.testing.assert_allclose(found, expected[:, 1], rtol=1e-3)
    row = pl.read_csv(regions, separator="\t").row(0, named=True)
    assert row["name"] == "one"
    assert row["word-"] == pytest.approx(expected[:, 1].mean(), rel=1e-3)


def test_a_model_that_says_its_genome_needs_no_other(
    reader: TrackReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path / "cache"))
    card = CARD | {"genome": "yeast-r64"}
    save_model(tmp_path / "model", reader.model, card=card)
    (tmp_path / "names.txt").write_text("YFL039C\nYAL038W\n")
    genes, out = str(tmp_path / "names.txt"), tmp_path / "genes.tsv"
    words = ["--model", str(tmp_path / "model"), "--genes", genes, "--out", str(out)]
    assert main(["predict", *words]) == 0
    rows = pl.read_csv(out, separator="\t").select("gene", "chrom", "start", "end", "strand")
    assert rows.rows() == [
        ("YFL039C", "chrVI", 53_259, 54_696, "-"),
        ("YAL038W", "chrI", 71_785, 73_288, "+"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one of --genes, --bed and --fasta; got none"),
        (["--bed", "x.bed"], "does not say which genome it is of; add --genome"),
        (["--genes", "all", "--genome", "toy.fa"], "toy.fa comes without genes; add --annotation"),
    ],
)
def test_what_is_missing_is_asked_for(
    words: list[str], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "--model", str(place / "model"), "--out", "x.tsv", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_language_model_predicts_no_tracks(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--fasta", "x.fa", "--out", "x.tsv"]
    assert main(["predict", "--model", "cisgram/yeast-lm", *words]) == 2
    assert "is a shorkie-lm that names no tracks" in capsys.readouterr().err
