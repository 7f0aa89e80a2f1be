"""Several models of tracks as one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError
from cisgram.explain.gene_maps import mutate_for_gene
from cisgram.genome.interval import Interval
from cisgram.models.checkpoint import load_model, save_model
from cisgram.models.ensemble import EnsembleConfig, EnsembleTracks
from cisgram.models.ensemble_files import join_models
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig
from cisgram.predict.genes import predict_genes
from cisgram.predict.reuse import predict_sequences
from cisgram.predict.tracks import TrackReader
from predict.toy_reader import CARD, GENES, toy_reader, toy_reference
from train.small_targets import SIZES

OTHER = {"power": 1.0, "tracks": {"word+": 5, "word-": 5}, "values": {"worth": [-2, 0.5]}}


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Two models that were scaled otherwise and held other chromosomes out."""
    cards: list[dict[str, Any]] = [
        {**CARD, "held_out": {"valid": ["c1"], "test": ["c0", "c1"]}},
        {**CARD, "held_out": {"valid": ["c1"], "test": ["c0"]}, "scaling": OTHER, "steps": 7},
    ]
    paths = [tmp_path / "first", tmp_path / "second"]
    for seed, (path, card) in enumerate(zip(paths, cards, strict=True)):
        save_model(path, toy_reader(seed).model, card=card)
    return paths


def test_an_ensemble_predicts_the_mean_of_its_members_in_their_units(
    two: list[Path], tmp_path: Path
) -> None:
    join_models([str(path) for path in two], tmp_path / "both")
    reference, genes = toy_reference(tmp_path), list(GENES.values())
    each = [predict_genes(TrackReader.open(path), reference, genes) for path in two]
    assert not np.allclose(each[0], each[1], rtol=0.1)
    both = predict_genes(TrackReader.open(tmp_path / "both"), reference, genes)
    np.testing.assert_allclose(both, (each[0] + each[1]) / 2, rtol=1e-5)


def test_an_ensemble_is_mutated_as_it_is_read_whole(two: list[Path], tmp_path: Path) -> None:
    join_models([str(path) for path in two], tmp_path / "both")
    reference, reader = toy_reference(tmp_path), TrackReader.open(tmp_path / "both")
    gene, region = GENES["right"], Interval("c0", 750, 754)
    found = mutate_for_gene(reader, reference, region, gene=gene)
    each = [
        mutate_for_gene(TrackReader.open(path), reference, region, gene=gene).of("worth")
        for path in two
    ]
    np.testing.assert_allclose(found.of("worth"), (each[0] + each[1]) / 2, atol=1e-5)


def test_members_of_other_depth_share_windows_and_tiles() -> None:
    torch.manual_seed(0)
    deeper = {**SIZES, "channels": (*SIZES["channels"], 8), "window": 256}
    members = (
        ShorkieTracksConfig(**{**SIZES, "window": 256}, n_tracks=2),
        ShorkieTracksConfig(
            **{**deeper, "decoder_channels": (*SIZES["decoder_channels"], 4)}, n_tracks=2
        ),
    )
    model = EnsembleTracks(EnsembleConfig(members=members)).eval()
    assert model.multiple == 2 ** len(deeper["channels"])
    assert model.halo % model.multiple == 0
    windows = np.random.default_rng(0).integers(0, 4, (1, 256), dtype=np.uint8).repeat(3, axis=0)
    windows[1, 100], windows[2, 30] = (windows[1, 100] + 1) % 4, (windows[2, 30] + 1) % 4
    shared = predict_sequences(model, windows)
    plain = predict_sequences(model, windows, reuse=False)
    assert shared.values.shape[-1] == 4
    np.testing.assert_allclose(shared.values, plain.values, rtol=1e-5, atol=1e-6)


def test_the_card_says_what_no_member_learnt_from(two: list[Path], tmp_path: Path) -> None:
    join_models([str(path) for path in two], tmp_path / "both")
    model, card = load_model(tmp_path / "both")
    assert isinstance(model, EnsembleTracks)
    assert card["held_out"] == {"valid": ["c1"], "test": ["c0"]}
    assert [member["steps"] for member in card["members"]] == [None, 7]
    assert card["scaling"] == [CARD["scaling"], OTHER]
    with pytest.raises(ConfigError, match=r"both \(ensemble\) is no single network of named"):
        join_models([str(two[0]), str(tmp_path / "both")], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_models_that_predict_something_else_are_no_members(two: list[Path], tmp_path: Path) -> None:
    other = {**CARD, "columns": {**CARD["columns"], "values": ["weight"]}}
    save_model(tmp_path / "other", toy_reader().model, card=other)
    with pytest.raises(ConfigError, match=r"other and .*first differ in their columns; members"):
        join_models([str(two[0]), str(tmp_path / "other")], tmp_path / "both")
    with pytest.raises(ConfigError, match=r"an ensemble has two members or more; got 1"):
        join_models([str(two[0])], tmp_path / "both")
    cropped = ShorkieTracks(ShorkieTracksConfig(**{**SIZES, "crop": 0}, n_tracks=2, n_values=1))
    save_model(tmp_path / "cropped", cropped, card=CARD)
    with pytest.raises(ConfigError, match="must have one margin; the first has"):
        join_models([str(two[0]), str(tmp_path / "cropped")], tmp_path / "both")
    assert not (tmp_path / "both").exists()
