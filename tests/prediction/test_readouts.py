"""What is read of a model's output, against the output itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError
from cisgram.core.device import shapes_only
from cisgram.data.outputs import Outputs
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.interval import Interval
from cisgram.models.registry import architectures, build_model, model_config
from cisgram.prediction.choose import choose_readout, readout_names
from cisgram.prediction.predict import predict_genes
from cisgram.prediction.readouts import GeneLevels, RowMeans, TrackSums, choose_output
from cisgram.prediction.sequences import Windows, windows_of_places
from cisgram.prediction.session import Session
from prediction.toy_session import (
    GENE_TRACKS,
    GENES,
    MODELS,
    TRACKS,
    by_hand,
    gene_model,
    language_model,
    session,
    track_model,
    write_genome,
)

WINDOW, BODY = Interval("c0", 300, 428), np.array([[60, 80]])
"""Bases 60 to 79 of a window are bins 11 to 15: 16 bases have none, and a bin has 4."""
ROWS = slice(11, 16)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Session:
    place = tmp_path_factory.mktemp("readouts")
    write_genome(place)
    return session(gene_model(), place)


def windows(toy: Session) -> Windows:
    return Windows(toy.reference.fetch(WINDOW)[None], BODY)


def test_a_gene_has_means_of_targets_and_sums_of_tracks(toy: Session) -> None:
    model = gene_model()
    expected = by_hand(model, toy.reference.fetch(WINDOW))
    readout = GeneLevels(GENE_TRACKS)
    assert readout.outputs == readout.kept == ("worth", "age", "word+", "both")
    (found,) = readout.read(model, windows(toy))
    body = expected[ROWS]
    # 12 bases before the body count to `word+`: 3 bins.
    sums = [expected[8:16, 0].sum(), body[:, 2].sum()]
    np.testing.assert_allclose(found, [*body[:, 3:5].mean(axis=0), *sums], rtol=1e-4)


def test_tracks_are_summed_and_means_are_means(toy: Session) -> None:
    body = by_hand(gene_model(), toy.reference.fetch(WINDOW))[ROWS, :3]
    own = windows(toy)
    sums = TrackSums(GENE_TRACKS).read(gene_model(), own)
    np.testing.assert_allclose(sums[0], body.sum(axis=0), rtol=1e-4)
    means = RowMeans(GENE_TRACKS).read(gene_model(), own)
    np.testing.assert_allclose(means[0], body.mean(axis=0), rtol=1e-4)


def test_a_window_and_its_reverse_complement_are_read_alike(toy: Session) -> None:
    own = windows(toy)
    turned = Windows(reverse_complement(own.tokens), 128 - BODY[:, ::-1])
    forward = TrackSums(GENE_TRACKS).read(gene_model(), own)
    backward = TrackSums(GENE_TRACKS).read(gene_model(), turned)
    np.testing.assert_allclose(forward, backward[:, [1, 0, 2]], rtol=1e-4)
    assert abs(forward[0, 0] - forward[0, 1]) > 0.01


def test_models_of_one_strand_are_read_once(toy: Session) -> None:
    once = replace(GENE_TRACKS, both_strands=False)
    own = windows(toy)
    with torch.no_grad():
        raw = gene_model()(torch.from_numpy(own.tokens))
    expected = GENE_TRACKS.in_units(raw)[0, ROWS, :3].sum(dim=0)
    np.testing.assert_allclose(TrackSums(once).read(gene_model(), own)[0], expected, rtol=1e-5)


def test_effects_are_differences_or_log_ratios() -> None:
    before, after = np.array([1.0, 2.0, 3.0, 0.0]), np.array([4.0, 1.0, 7.0, 1.0])
    before, after = before.astype(np.float32), after.astype(np.float32)
    found = GeneLevels(GENE_TRACKS).effect(after, before)
    np.testing.assert_allclose(found, [3, -1, 1, 1])
    found = TrackSums(TRACKS).effect(after[1:], before[1:])
    np.testing.assert_allclose(found, [np.log2(2 / 3), 1, 1], rtol=1e-6)
    np.testing.assert_allclose(RowMeans(TRACKS).effect(after[1:], before[1:]), [-1, 4, 1])
    no_counts = replace(GENE_TRACKS, activation="none", counts=False)
    np.testing.assert_allclose(GeneLevels(no_counts).effect(after, before), [3, -1, 4, 1])


@pytest.mark.parametrize("size", [1, 3, 64])
def test_windows_of_several_spans_are_read_as_each_alone(toy: Session, size: int) -> None:
    rng = np.random.default_rng(1)
    tokens = np.repeat(toy.reference.fetch(WINDOW)[None], 5, axis=0)
    starts = rng.integers(16, 112 - size if size < 64 else 40, 5)
    own = Windows(tokens, np.stack([starts, starts + size], axis=1))
    readout = GeneLevels(GENE_TRACKS)
    together = readout.read(gene_model(), own)
    for number in range(5):
        part = slice(number, number + 1)
        alone = readout.read(gene_model(), Windows(tokens[part], own.spans[part]))
        np.testing.assert_allclose(together[part], alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("span", "rows"),
    [((16, 20), (0, 1)), ((0, 4), (0, 1)), ((17, 25), (0, 3)), ((110, 128), (23, 24))],
)
def test_spans_have_a_row_at_least_and_none_beyond_the_window(span: Any, rows: Any) -> None:
    assert RowMeans(TRACKS).rows(np.array(span), 24) == rows


def test_genes_are_read_along_their_strands(toy: Session) -> None:
    gene = Interval("c0", 600, 640)
    bodies = {strand: Interval("c0", 600, 640, strand) for strand in "+-"}
    found = predict_genes(toy, bodies)
    assert found.table.columns[:6] == ["gene", "name", "chrom", "start", "end", "strand"]
    assert found.outputs == ("worth", "age", "word+", "both")
    (window,) = windows_of_places([gene], gene_model(), toy.reference, inside=True).tokens
    (minus,) = windows_of_places([bodies["-"]], gene_model(), toy.reference, inside=True).tokens
    np.testing.assert_array_equal(minus, reverse_complement(window))
    # The body is 40 bases in the middle of 128, bins 7 to 16.
    for row, tokens in zip(found.values, (window, minus), strict=True):
        expected = by_hand(gene_model(), tokens)
        np.testing.assert_allclose(row[:2], expected[7:17, 3:5].mean(axis=0), rtol=1e-4)
        sums = [expected[4:17, 0].sum(), expected[7:17, 2].sum()]
        np.testing.assert_allclose(row[2:], sums, rtol=1e-4)
    assert not np.allclose(found.values[0], found.values[1])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_readouts_by_name(name: str, toy: Session) -> None:
    own = Session(MODELS[name](), name="toy")
    expected = {
        "genes": ("gene", "tracks", "mean", "embedding-distance"),
        "tracks": ("gene", "tracks", "mean", "embedding-distance"),
        "bases": ("masked", "pseudo-likelihood", "embedding-distance"),
        "window": ("outputs", "embedding-distance"),
    }[name]
    assert readout_names(own) == expected
    for readout in expected:
        chosen = choose_readout(own, readout)
        assert chosen.name == readout
        assert choose_readout(own, chosen) is chosen
    with pytest.raises(ConfigError, match=rf"readout must be one of {', '.join(expected)} for toy"):
        choose_readout(own, "sed")


def test_the_usual_readout_is_of_genes_where_they_are_known(toy: Session, tmp_path: Path) -> None:
    assert choose_readout(toy).name == "gene"
    assert choose_readout(Session(gene_model())).name == "tracks"
    assert choose_readout(Session(language_model())).name == "masked"
    assert choose_readout(Session(MODELS["window"]())).name == "outputs"


def test_tracks_that_are_no_counts_have_means_alone() -> None:
    plain = Outputs(row="bin", names=("a",), resolution=4, margin=16)
    assert list(choose_names(plain)) == ["mean"]
    assert choose_names(replace(plain, counts=True)) == ["gene", "tracks", "mean"]
    assert choose_names(replace(plain, gene_targets=("worth",))) == ["gene", "mean"]
    only = Outputs(row="bin", names=(), gene_targets=("worth",), resolution=4, margin=16)
    assert choose_names(only) == ["gene"]


def choose_names(outputs: Outputs) -> list[str]:
    sizes = {**architectures()["shorkie"].tiny, "window": 128, "channels": [8] * 4}
    sizes |= {"decoder_channels": [8, 8], "crop": 4}
    with shapes_only():
        model = build_model("shorkie", model_config("shorkie", sizes, "the test"), outputs)
    return [name for name in readout_names(Session(model)) if name != "embedding-distance"]


def test_an_ensemble_of_tracks_keeps_their_readouts() -> None:
    joined = replace(track_model().outputs, scale=None, activation="none")
    assert joined.counts


def test_models_that_know_no_genes_say_so() -> None:
    with pytest.raises(ConfigError, match="lm predicts nothing of genes; use a model of tracks"):
        choose_readout(Session(language_model(), name="lm"), "gene")


def test_outputs_are_chosen_by_name() -> None:
    readout = GeneLevels(GENE_TRACKS)
    assert choose_output(readout, None) == 0
    assert choose_output(readout, "word+") == 2
    with pytest.raises(ConfigError, match="output must be one of worth, age, word"):
        choose_output(readout, "word-")
    assert set(GENES) >= {"left", "right"}
