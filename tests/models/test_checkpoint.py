import json

import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.models.catalogue import describe
from cisgram.models.checkpoint import (
    load_language_model,
    load_model,
    save_model,
    species_number,
)
from cisgram.models.registry import build_model
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig
from models.tiny import random_windows, tiny_lm


def test_a_model_comes_back_as_it_was(tmp_path):
    model, tokens = tiny_lm(), random_windows()
    save_model(tmp_path / "m", model, card={"steps": 3})
    again, card = load_model(tmp_path / "m")
    assert card == {"steps": 3}
    assert again.config == model.config
    assert not again.training
    assert torch.equal(again(tokens), model(tokens))


def test_half_the_bytes_change_little(tmp_path):
    model, tokens = tiny_lm(), random_windows()
    save_model(tmp_path / "m", model, card={})
    save_model(tmp_path / "half", model, card={}, dtype=torch.bfloat16)
    again, _ = load_model(tmp_path / "half")
    assert {value.dtype for value in again.state_dict().values()} == {torch.float32, torch.int64}
    torch.testing.assert_close(again(tokens), model(tokens), atol=0.05, rtol=0.05)
    sizes = [(tmp_path / name / "weights.safetensors").stat().st_size for name in ("m", "half")]
    assert sizes[1] < 0.7 * sizes[0]


def test_a_run_is_named_like_its_model(tmp_path):
    save_model(tmp_path / "run" / "model", tiny_lm(), card={})
    assert load_model(tmp_path / "run")[0].kind == "shorkie-lm"


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no model '.*nowhere'; name a directory of"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"is no cisgram model \(it has no manifest"):
        load_model(tmp_path)


def test_weights_of_another_size_are_refused(tmp_path):
    save_model(tmp_path / "m", tiny_lm(), card={})
    manifest = tmp_path / "m" / "manifest.json"
    plain = json.loads(manifest.read_text())
    plain["metadata"]["config"]["stem_channels"] = 9
    manifest.write_text(json.dumps(plain))
    with pytest.raises(DataError, match="weights of another architecture"):
        load_model(tmp_path / "m")


def test_a_model_of_tracks_is_no_language_model(tmp_path):
    sizes = {"window": 64, "channels": (8, 8), "decoder_channels": (8,), "n_layers": 1}
    config = ShorkieTracksConfig(n_tracks=2, crop=1, stem_channels=8, n_heads=2, **sizes)
    save_model(tmp_path / "m", ShorkieTracks(config), card={})
    assert load_model(tmp_path / "m")[0].config == config
    with pytest.raises(ConfigError, match="is a shorkie, no language model; name one"):
        load_language_model(tmp_path / "m")


def test_architectures_are_built_by_name():
    model = build_model("shorkie-lm", {"n_species": 80}, "[model]")
    assert model.n_parameters == 13_665_828 - 85 * 11 * 96
    with pytest.raises(ConfigError, match=r"kind in \[model\] must be one of shorkie-lm, "):
        build_model("shorky", {}, "[model]")
    with pytest.raises(ConfigError, match=r"\[model\] has no field 'layers'"):
        build_model("shorkie-lm", {"layers": 2}, "[model]")


def test_describe_gives_sizes_and_card(tmp_path):
    assert describe("shorkie-lm")["n_parameters"] == 13_665_828
    assert describe("shorkie")["n_parameters"] == 14_253_567
    save_model(tmp_path / "m", tiny_lm(), card={"training": {"steps": 3}})
    facts = describe(str(tmp_path / "m"))
    assert facts["bytes"] == (tmp_path / "m" / "weights.safetensors").stat().st_size
    assert facts["training"] == {"steps": 3}


def test_a_genome_has_the_number_it_had_in_training():
    card = {"genomes": {"R64": "ab", "SK1": "cd"}}
    assert [species_number(card, name) for name in (None, "R64", "SK1")] == [0, 0, 1]
    with pytest.raises(ConfigError, match="species must be one of R64, SK1; got 'S288C'"):
        species_number(card, "S288C")
    with pytest.raises(ConfigError, match="names no genomes; leave out species 'R64'"):
        species_number({}, "R64")
