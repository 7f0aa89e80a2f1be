"""Several models as one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError
from cisgram.data.outputs import Outputs, Scale
from cisgram.models.base import Model
from cisgram.models.ensemble import Ensemble, EnsembleConfig, Member, join_models
from cisgram.models.hub import load_model, save_model
from cisgram.prediction.reuse import predict_sequences
from models.tiny import random_windows, tiny, tracks

SIZES: dict[str, Any] = {"window": 64, "decoder_channels": (8,), "crop": 3, "n_species": 0}
DEEPER: dict[str, Any] = {"channels": (8, 12, 12), "decoder_channels": (8, 8)}
CARD: dict[str, Any] = {"genome": "toy", "genomes": {"toy": "ab"}, "licence": "CC0"}


def outputs(power: float, *means: float, moments: tuple[float, float]) -> Outputs:
    scale = Scale(power=power, track_means=means, gene_moments=(moments,))
    geometry = tiny("shorkie", **SIZES).config.geometry
    return replace(tracks(geometry, n=2, gene_targets=("worth",)), scale=scale)


def make(seed: int, meaning: Outputs | None = None, **sizes: Any) -> Any:
    one = outputs(0.5, 2, 2, moments=(1, 3))
    return tiny("shorkie", meaning or one, seed=seed, **{**SIZES, **sizes})


def in_units(model: Model, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.outputs.in_units(model(tokens))


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """Two models that were scaled otherwise and held other chromosomes out."""
    other = outputs(1.0, 5, 5, moments=(-2, 0.5))
    cards = [
        {**CARD, "held_out": {"valid": ["c1"], "test": ["c0", "c1"]}},
        {**CARD, "held_out": {"valid": ["c1"], "test": ["c0"]}, "steps": 7},
    ]
    models = [make(0), make(1, other)]
    for number, (model, card) in enumerate(zip(models, cards, strict=True)):
        save_model(tmp_path / f"member{number}", model, card=card)
    return [str(tmp_path / f"member{number}") for number in range(2)]


def test_an_ensemble_predicts_the_mean_of_its_members_in_their_units(
    two: list[str], tmp_path: Path
) -> None:
    join_models(two, tmp_path / "both")
    tokens = random_windows(2, 64)
    each = [in_units(load_model(path)[0], tokens) for path in two]
    assert not torch.allclose(each[0], each[1], rtol=0.1)
    both, card = load_model(tmp_path / "both")
    torch.testing.assert_close(in_units(both, tokens), (each[0] + each[1]) / 2)
    assert both.outputs == replace(each_outputs(two[0]), scale=None, activation="none")
    assert card["genome"] == "toy"


def each_outputs(path: str) -> Outputs:
    return load_model(path)[0].outputs


def test_language_models_are_averaged_as_probabilities_are_read() -> None:
    members = tuple(
        Member(kind=kind, config=tiny(kind, window=64).config.__dict__, outputs=Outputs.of_bases())
        for kind in ("dilated", "shorkie")
    )
    config = EnsembleConfig(members=members)
    model, tokens = Ensemble(config, config.default_outputs).eval(), random_windows(2, 64)
    assert model.outputs == Outputs.of_bases()
    assert model.reads_masks
    assert (model.multiple, model.n_levels) == (4, 4)
    each = [in_units(own, tokens) for own in model.members]
    mean = ((each[0] + each[1]) / 2).log_softmax(-1)
    torch.testing.assert_close(in_units(model, tokens), mean)


def test_members_of_other_depth_share_windows_and_tiles() -> None:
    first, second = (make(0), make(0, **DEEPER))
    members = tuple(
        Member(kind="shorkie", config=vars(model.config), outputs=first.outputs)
        for model in (first, second)
    )
    config = EnsembleConfig(members=members)
    model = Ensemble(config, config.default_outputs).eval()
    assert (first.multiple, second.multiple, model.multiple) == (4, 8, 8)
    assert model.halo % model.multiple == 0
    windows = np.random.default_rng(0).integers(0, 4, (1, 128), dtype=np.uint8).repeat(3, axis=0)
    windows[1, 100], windows[2, 30] = (windows[1, 100] + 1) % 4, (windows[2, 30] + 1) % 4
    shared = predict_sequences(model, windows)
    plain = predict_sequences(model, windows, reuse=False)
    assert shared.values.shape[-1] == 4
    np.testing.assert_allclose(shared.values, plain.values, rtol=1e-5, atol=1e-6)


def test_the_card_says_what_no_member_learnt_from(two: list[str], tmp_path: Path) -> None:
    join_models(two, tmp_path / "both")
    model, card = load_model(tmp_path / "both")
    assert isinstance(model, Ensemble)
    assert card["held_out"] == {"valid": ["c1"], "test": ["c0"]}
    assert card["licence"] == "CC0"
    assert [member.get("steps") for member in card["members"]] == [None, 7]
    assert len({member["weights"] for member in card["members"]}) == 2
    scales = [member.outputs.scale.power for member in model.config.members]
    assert scales == [0.5, 1.0]


def test_what_a_member_started_from_learnt_is_not_held_out(tmp_path: Path) -> None:
    start = {"held_out": {"test": ["c9"]}}
    held_out = {"test": {"genome": "toy", "contigs": ["c0", "c9"]}}
    for number, more in enumerate([{}, {"start": start}]):
        save_model(tmp_path / str(number), make(number), card=CARD | {"held_out": held_out} | more)
    join_models([str(tmp_path / "0"), str(tmp_path / "1")], tmp_path / "both")
    card = load_model(tmp_path / "both")[1]
    assert card["held_out"] == {"test": {"genome": "toy", "contigs": ["c9"]}}
    assert card["members"][1]["start"] == start


def test_models_that_cannot_be_averaged_are_no_members(two: list[str], tmp_path: Path) -> None:
    join_models(two, tmp_path / "both")
    with pytest.raises(ConfigError, match=r"both is of kind ensemble; members of an"):
        join_models([two[0], str(tmp_path / "both")], tmp_path / "again")
    save_model(tmp_path / "bert", tiny("bert"), card=CARD)
    with pytest.raises(ConfigError, match=r"bert is of kind bert; members of an"):
        join_models([two[0], str(tmp_path / "bert")], tmp_path / "again")
    renamed = replace(each_outputs(two[0]), gene_targets=("weight",))
    save_model(tmp_path / "other", make(0, renamed), card=CARD)
    with pytest.raises(ConfigError, match=r"other and .*member0 differ in their outputs; members"):
        join_models([two[0], str(tmp_path / "other")], tmp_path / "again")
    save_model(tmp_path / "human", make(0), card={**CARD, "genome": "hg38"})
    with pytest.raises(ConfigError, match=r"human and .*member0 differ in their genome; members"):
        join_models([two[0], str(tmp_path / "human")], tmp_path / "again")
    with pytest.raises(ConfigError, match=r"member1 has the weights of .*member1, so that their"):
        join_models([*two, two[1]], tmp_path / "again")
    with pytest.raises(ConfigError, match=r"an ensemble has two members or more; got 1"):
        join_models([two[0]], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_members_must_read_the_same_windows() -> None:
    short = vars(tiny("dilated-cnn").config)
    names = Outputs(row="window", names=("a",))
    members = tuple(
        Member(kind="dilated-cnn", config={**short, "window": window}, outputs=names)
        for window in (64, 128)
    )
    config = EnsembleConfig(members=members)
    with pytest.raises(ConfigError, match="of windows of one length; the first and number 2 do"):
        Ensemble(config, config.default_outputs)
    with pytest.raises(ConfigError, match="the outputs of an ensemble are those of its members"):
        Ensemble(EnsembleConfig(members=members[:1] * 2), Outputs.of_bases())
