"""What `predict` returns of genes, regions and sequences."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import N, encode, one_hot, reverse_complement
from cisgram.prediction.language import PseudoLikelihood
from cisgram.prediction.masked import MaskingConfig, read_region
from cisgram.prediction.perplexity import information
from cisgram.prediction.predict import (
    Predictions,
    predict,
    predict_genes,
    predict_genes_resumably,
)
from cisgram.prediction.readouts import GeneLevels, RowMeans, TrackSums
from cisgram.prediction.sequences import Sequences, Windows
from cisgram.prediction.signal import predict_signal
from prediction.toy_session import (
    GENES,
    WINDOW,
    gene_model,
    language_model,
    session,
    track_model,
    window_model,
    write_genome,
)

module = importlib.import_module("cisgram.prediction.predict")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("predict")
    write_genome(place)
    return place


def test_genes_are_predicted_by_identifier_or_name(place: Path) -> None:
    own = session(gene_model(), place)
    found = predict(own, genes=["LEF1", "right"])
    assert found.table.columns[:6] == ["gene", "name", "chrom", "start", "end", "strand"]
    assert found.table.select("gene", "name").rows() == [("left", "LEF1"), ("right", "right")]
    assert found.columns[6:] == ["worth", "age", "word+", "both"]
    assert len(found) == 2
    again = predict_genes(own, {name: GENES[name] for name in ("left", "right")})
    np.testing.assert_array_equal(found.values, again.values)
    np.testing.assert_array_equal(predict(own, genes="left").values, found.values[:1])


def test_many_genes_are_read_as_each_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = session(gene_model(), place)
    together = predict_genes(own, GENES)
    monkeypatch.setattr("cisgram.prediction.predict._AT_ONCE", 2)
    np.testing.assert_allclose(predict_genes(own, GENES).values, together.values, rtol=1e-5)
    assert predict_genes(own, GENES, "mean").outputs == ("word+", "word-", "both")


def test_interrupted_genes_go_on_where_they_were(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = session(gene_model(), place)
    monkeypatch.setattr(module, "_KEPT", 2)
    read: list[str] = []

    def stops(_session: object, genes: dict[str, Any], *words: Any, **options: Any) -> Predictions:
        if len(read) == 4:
            raise KeyboardInterrupt
        read.extend(genes)
        return predict_genes(own, genes, *words, **options)

    monkeypatch.setattr(module, "predict_genes", stops)
    out = tmp_path / "genes.tsv"
    with pytest.raises(KeyboardInterrupt), predict_genes_resumably(own, GENES, out=out):
        pass
    read.clear()
    with predict_genes_resumably(own, GENES, out=out) as found:
        assert (tmp_path / "genes.tsv.partial").exists()
    assert read == ["last"]
    assert list(tmp_path.iterdir()) == []
    whole = predict_genes(own, GENES)
    assert found.rows.equals(whole.rows)
    assert found.outputs == whole.outputs
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-5)


def test_regions_get_the_mean_of_every_track_and_their_signal(place: Path) -> None:
    own = session(track_model(), place)
    found = predict(own, ["c0:201-392", "c1:1-9(-)"])
    assert found.table["name"].to_list() == ["c0:201-392", "c1:1-9(-)"]
    assert found.outputs == ("word+", "word-", "both")
    signals = predict_signal(own, Sequences.from_regions(["c0:201-392"], own.reference).places,
                             own.reference)  # fmt: skip
    np.testing.assert_allclose(found.values[0], signals[0].values.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(found.signals[0].values, signals[0].values)


def test_a_readout_of_regions_has_them_in_the_middle_of_windows(place: Path) -> None:
    own = session(gene_model(), place)
    found = predict(own, "c0:601-640", "tracks")
    window = own.reference.fetch(GENES["left"].around(128))
    expected = TrackSums(own.outputs).read(own.model, Windows(window[None], np.array([[44, 84]])))
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)
    assert found.signals == ()
    as_gene = predict(own, "c0:601-640", "gene")
    np.testing.assert_allclose(as_gene.values, predict(own, genes="left").values, rtol=1e-5)
    assert as_gene.outputs == GeneLevels(own.outputs).outputs


def test_records_of_a_fasta_and_letters_need_no_genome(tmp_path: Path) -> None:
    text = "GATTACA" * 20
    (tmp_path / "own.fasta").write_text(f">one\n{text}\n>two\n{text[:50]}\n")
    record, short = predict(gene_model(), tmp_path / "own.fasta").values
    letters = predict(gene_model(), [text, text[:50]])
    np.testing.assert_array_equal(letters.values, np.stack([record, short]))
    means = predict(track_model(), text[:100], RowMeans(track_model().outputs))
    assert means.outputs == ("word+", "word-", "both")


def test_a_network_of_another_project_predicts_whole_windows(place: Path) -> None:
    own, text = session(window_model(), place, genes=False), "GATTACAGGC" * 4
    found = predict(own, [text, text[:30]])
    assert found.outputs == ("a", "b")
    tokens = np.stack([encode(text), np.r_[[N] * 5, encode(text[:30]), [N] * 5].astype(np.uint8)])
    with torch.no_grad():
        one, other = (
            own.model.module(torch.from_numpy(one_hot(way, np.float32)).transpose(1, 2)).numpy()
            for way in (tokens, reverse_complement(tokens))
        )
    np.testing.assert_allclose(found.values, (one + other) / 2, rtol=1e-4, atol=1e-6)
    around = predict(own, "c0:101-120")
    whole = predict(own, "c0:91-130")
    np.testing.assert_array_equal(around.values, whole.values)
    with pytest.raises(DataError, match=rf"c0:1-41 has 41 bases and toy reads {WINDOW}; cut it"):
        predict(own, "c0:1-41")


def test_language_models_predict_how_expected_bases_are(place: Path) -> None:
    own = session(language_model(), place)
    found = predict(own, ["c0:201-260", "c0:201-260(-)"])
    assert found.outputs == ("log_likelihood", "information")
    assert found.signals[0].names == ("A", "C", "G", "T")
    region = Sequences.from_regions(["c0:201-260"], own.reference).places[0]
    read = read_region(own.model, own.reference, region, config=MaskingConfig())
    own_p = read.p[np.arange(60), read.tokens]
    expected = [np.log(own_p).mean(), information(read.p).mean()]
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-5)
    genes = predict(own, genes=["left"])
    assert genes.columns == ["gene", "name", "chrom", "start", "end", "strand", *found.outputs]
    np.testing.assert_allclose(genes.values, predict(own, "c0:601-640(+)").values, rtol=1e-5)


def test_likelihoods_of_sequences_are_called_so(place: Path) -> None:
    own = session(language_model(), place)
    found = predict(own, "c0:201-220", PseudoLikelihood(flank=0))
    assert found.outputs == ("log_likelihood",)
    # The same sum over bases that are masked one by one is what `masked` means of a sequence.
    np.testing.assert_allclose(found.values, predict(own, "c0:201-220", "masked").values)
    assert -60 < found.values[0, 0] < -1
    with pytest.raises(DataError, match="left has 40 bases and toy reads 32; cut it"):
        predict(own, genes=["left"], readout="masked")


def test_unknown_bases_have_no_likelihood() -> None:
    values = predict(language_model(), ["N" * 40, "ACGTN"]).values
    assert np.isnan(values[0]).all()
    assert np.isfinite(values[1]).all()


def test_results_are_tables_files_and_figures(place: Path, tmp_path: Path) -> None:
    found = predict(session(gene_model(), place), genes=list(GENES))
    for name in ("p.tsv", "p.parquet"):
        found.write(tmp_path / name)
    rounded = pl.read_csv(tmp_path / "p.tsv", separator="\t")
    exact = pl.read_parquet(tmp_path / "p.parquet")
    assert exact.equals(found.table)
    assert rounded.columns == exact.columns
    np.testing.assert_allclose(rounded["worth"], exact["worth"], atol=1e-5)
    assert repr(found).startswith("Predictions\nshape: (5, 10)")
    html = found._repr_html_()
    assert html.index("<table") < html.index("<svg")


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="needs pandas")
def test_tables_go_to_pandas(place: Path) -> None:
    found = predict(session(gene_model(), place), genes=["left"])
    assert list(found.to_pandas().columns) == found.columns


@pytest.mark.parametrize(
    ("package", "method"), [("pandas", "to_pandas"), ("anndata", "to_anndata")]
)
def test_packages_that_are_missing_are_named(
    package: str, method: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = predict(session(gene_model(), place), genes=["left"])
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ConfigError, match=rf"this needs {package}; install it with: pip install"):
        getattr(found, method)()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "give sequences or genes to predict, and not both"),
        ({"sequences": "ACGT", "genes": ["left"]}, "give sequences or genes to predict, and not"),
        ({"sequences": []}, "give at least one sequence"),
        ({"genes": []}, "give at least one gene to predict; got none"),
        ({"genes": ["left"], "readout": "embedding-distance"}, "compares two sequences"),
        ({"sequences": "c0:1-9", "readout": "embedding-distance"}, "use embed, or another readout"),
        ({"genes": ["YFG1"]}, r"genes\.gff3 has no gene YFG1; use its names"),
        ({"sequences": "c0:1-9", "readout": "sed"}, "readout must be one of gene, tracks, mean"),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    asked: dict[str, Any], message: str, place: Path
) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        predict(session(gene_model(), place), **asked)
