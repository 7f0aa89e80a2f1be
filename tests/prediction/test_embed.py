"""Embeddings, against the layers of the networks themselves."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError
from cisgram.genome.alphabet import decode, one_hot
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import Model
from cisgram.prediction.embed import Embeddings, embed
from cisgram.prediction.sequences import Sequences
from cisgram.prediction.session import Session
from models.tiny import tiny_lm
from prediction.toy_session import MODELS, window_model


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, 300, dtype=np.uint8)


@pytest.fixture(scope="module")
def reference(tokens: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    place = tmp_path_factory.mktemp("genome")
    (place / "toy.fa").write_text(f">chr1\n{decode(tokens)}\n>chr2\n{decode(tokens[:20])}\n")
    return Reference.from_fasta(place / "toy.fa", place / "reference")


def embedded(model: Model, reference: Reference, *places: Interval, **options: Any) -> Embeddings:
    names = tuple(str(place) for place in places)
    return embed(model, Sequences(names, places, reference), **options)


def window_of(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(tokens.copy())[None]


def hooked(model: Model, layer: str, tokens: np.ndarray) -> np.ndarray:
    """What a layer returns when the network reads a window, as torch's own hooks have it."""
    kept: list[torch.Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda module, given, output: kept.append(output)
    )
    with torch.no_grad():
        model(window_of(tokens))
    handle.remove()
    return kept[0][0].numpy()


def test_positions_are_those_of_the_window_around(reference, tokens) -> None:
    model = tiny_lm()
    found = embedded(model, reference, Interval("chr1", 100, 110), pool="none")
    # The window of 32 starts 11 bases before; positions of 4 bases from 99 on.
    values = model.embed(window_of(tokens[89:121])).values[0]
    np.testing.assert_allclose(found.values, values[2:6].detach().numpy(), atol=1e-5)
    assert found.spans.tolist() == [[100, 101], [101, 105], [105, 109], [109, 110]]


@pytest.mark.parametrize("name", ["genes", "tracks", "bases"])
def test_every_layer_is_what_a_hook_on_it_sees(name, reference, tokens) -> None:
    model = MODELS[name]()
    place = Interval("chr1", 100, 100 + model.window)
    for number, layer in enumerate(model.layer_names):
        found = embedded(model, reference, place, layer=layer, pool="none")
        expected = hooked(model, layer, tokens[100 : 100 + model.window])
        np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-5)
        for same in (str(number), str(number - len(model.layer_names))):
            again = embedded(model, reference, place, layer=same, pool="none")
            np.testing.assert_array_equal(again.values, found.values)


def test_layers_of_another_projects_network_have_channels_last(reference, tokens) -> None:
    model = window_model()
    place = Interval("chr1", 100, 140)
    with torch.no_grad():
        x = torch.from_numpy(one_hot(tokens[100:140], np.float32)).T[None]
        convolved = model.module[0](x)[0].T.numpy()
    found = embedded(model, reference, place, layer="module.0", pool="none")
    np.testing.assert_allclose(found.values, convolved, rtol=1e-4, atol=1e-5)
    # A convolution of five bases has no position for the two at each end.
    assert found.spans[[0, -1]].tolist() == [[102, 103], [137, 138]]
    whole = embedded(model, reference, place, layer="module.3")
    assert whole.values.shape == (1, 2)
    assert whole.spans.tolist() == [[100, 140]]


def test_mean_weighs_by_shared_bases(reference) -> None:
    model, region = tiny_lm(), Interval("chr1", 100, 110)
    each = embedded(model, reference, region, pool="none")
    mean = embedded(model, reference, region)
    expected = (each.values * np.array([[1], [4], [4], [1]])).sum(0) / 10
    np.testing.assert_allclose(mean.values[0], expected, atol=1e-5)
    assert mean.spans.tolist() == [[100, 110]]


def test_a_strand_is_read_along_itself(reference) -> None:
    model = tiny_lm()
    forward = embedded(model, reference, Interval("chr1", 100, 132, "+"), pool="none")
    backward = embedded(model, reference, Interval("chr1", 100, 132, "-"), pool="none")
    assert backward.spans.tolist() == forward.spans[::-1].tolist()
    assert np.abs(backward.values[::-1] - forward.values).max() > 1e-3


def test_long_regions_are_read_in_pieces_and_ends_padded(reference, tokens) -> None:
    model = tiny_lm()
    regions = [Interval("chr1", 0, 300), Interval("chr2", 0, 20)]
    found = embedded(model, reference, *regions, pool="none", batch=3)
    assert (np.bincount(found.region) == [76, 5]).all()
    assert found.spans[0].tolist() == [0, 4]
    # A contig of 20 bases is a window of its own: no more N than the model needs.
    values = model.embed(window_of(tokens[:20])).values[0].detach().numpy()
    np.testing.assert_allclose(found.values[76:], values, atol=1e-5)


def test_the_species_reaches_the_model(reference) -> None:
    region = Sequences.from_regions(["chr1:101-132"], reference)
    one, other = (embed(Session(tiny_lm(), species=number), region).values for number in (0, 1))
    assert np.abs(one - other).max() > 1e-3


def test_letters_are_embedded_without_a_genome() -> None:
    found = embed(tiny_lm(), ["GATTACA" * 4, "GATTACA"])
    assert found.values.shape == (2, 12)
    assert found.table["end"].to_list() == [28, 7]


def test_results_are_tables_arrays_and_figures(reference, tmp_path: Path) -> None:
    places = (Interval("chr1", 100, 110, "-"), Interval("chr2", 0, 8))
    found = embed(tiny_lm(), Sequences(("promoter", "x"), places, reference))
    assert found.table.rows() == [
        ("promoter", "chr1", 100, 110, "-"),
        ("x", "chr2", 0, 8, "."),
    ]
    found.write_arrays(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as stored:
        assert set(stored) == {"values", "region", "spans", "names"}
        assert stored["names"].tolist() == ["promoter", "x"]
        assert stored["spans"].tolist() == [[100, 110], [0, 8]]
        np.testing.assert_array_equal(stored["values"], found.values)
    assert "2 embeddings on their first two principal components" in found.plot().get_suptitle()
    with pytest.raises(ConfigError, match=r"e\.csv must end in \.npz"):
        found.write_arrays(tmp_path / "e.csv")


@pytest.mark.skipif(importlib.util.find_spec("anndata") is None, reason="needs anndata")
def test_embeddings_go_to_anndata(reference) -> None:
    found = embedded(tiny_lm(), reference, Interval("chr1", 100, 110)).to_anndata()
    assert found.shape == (1, 12)
    assert found.obs["chrom"].to_list() == ["chr1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "trunk.roof"}, "shorkie has no layer 'trunk.roof'; it has trunk.stem"),
        ({"layer": "99"}, r"shorkie has \d+ layers; got layer 99"),
        ({"pool": "max"}, "pool must be one of mean, none; got 'max'"),
        ({"batch": 0}, "batch must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_embedded_is_refused(options, message, reference) -> None:
    with pytest.raises(ConfigError, match=message):
        embedded(tiny_lm(), reference, Interval("chr1", 100, 110), **options)
