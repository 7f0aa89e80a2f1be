from pathlib import Path

import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.models.hub import describe, load_model, save_model, species_number
from models.tiny import random_windows, tiny_lm, tiny_tracks
from resealing import reseal


def test_half_the_bytes_change_little(tmp_path: Path) -> None:
    model, tokens = tiny_lm(), random_windows()
    save_model(tmp_path / "m", model, card={})
    save_model(tmp_path / "half", model, card={}, dtype=torch.bfloat16)
    again, _ = load_model(tmp_path / "half")
    assert {value.dtype for value in again.state_dict().values()} == {torch.float32, torch.int64}
    torch.testing.assert_close(again(tokens), model(tokens), atol=0.05, rtol=0.05)
    sizes = [(tmp_path / name / "weights.safetensors").stat().st_size for name in ("m", "half")]
    assert sizes[1] < 0.7 * sizes[0]


def test_a_run_is_named_like_its_model(tmp_path: Path) -> None:
    save_model(tmp_path / "run" / "model", tiny_lm(), card={})
    assert load_model(tmp_path / "run")[0].kind == "shorkie"


def test_what_is_there_is_replaced_only_when_told(tmp_path: Path) -> None:
    save_model(tmp_path / "m", tiny_lm(seed=1), card={"steps": 1})
    with pytest.raises(DataError, match="exists"):
        save_model(tmp_path / "m", tiny_lm(seed=2), card={"steps": 2})
    assert load_model(tmp_path / "m")[1] == {"steps": 1}
    save_model(tmp_path / "m", tiny_lm(seed=2), card={"steps": 2}, overwrite=True)
    assert load_model(tmp_path / "m")[1] == {"steps": 2}


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no model '.*nowhere'; name a directory of"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"is no cisgram model \(it has no manifest"):
        load_model(tmp_path)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    model = tiny_lm()
    save_model(tmp_path / "m", model, card={})
    sizes = {**vars(model.config), "stem_channels": 9}
    reseal(tmp_path / "m", config=sizes)
    with pytest.raises(DataError, match="weights of another architecture"):
        load_model(tmp_path / "m")


def test_a_damaged_manifest_is_one_sentence(tmp_path: Path) -> None:
    save_model(tmp_path / "m", tiny_lm(), card={})
    reseal(tmp_path / "m", outputs={"row": "base"})
    with pytest.raises(ConfigError, match=r"/m lacks the field 'names'; add it\."):
        load_model(tmp_path / "m")
    reseal(tmp_path / "m", "outputs")
    with pytest.raises(DataError, match=r"/m cannot be read \('outputs'\); make it again\."):
        load_model(tmp_path / "m")


def test_an_architecture_is_described_at_its_published_sizes() -> None:
    facts = describe("shorkie")
    assert facts["n_parameters"] == 13_665_828
    assert (facts["outputs"], facts["names"], facts["trained"]) == ("bases", [*"ACGT"], False)
    assert describe("enformer")["outputs"] == "5,313 tracks"


def test_a_saved_model_is_described_by_its_outputs_and_card(tmp_path: Path) -> None:
    save_model(tmp_path / "m", tiny_tracks(), card={"licence": "CC0", "steps": 3})
    facts = describe(str(tmp_path / "m"))
    assert facts["bytes"] == (tmp_path / "m" / "weights.safetensors").stat().st_size
    assert (facts["steps"], facts["licence"], facts["trained"]) == (3, "CC0", True)
    assert (facts["kind"], facts["outputs"]) == ("shorkie", "5 tracks")
    assert facts["names"] == ["word+", "word-", "track2", "track3", "track4"]


def test_a_genome_has_the_number_it_had_in_training() -> None:
    card = {"genomes": {"R64": "ab", "SK1": "cd"}}
    assert [species_number(card, name) for name in (None, "R64", "SK1")] == [0, 0, 1]
    with pytest.raises(ConfigError, match="species must be one of R64, SK1; got 'S288C'"):
        species_number(card, "S288C")
    with pytest.raises(ConfigError, match="names no genomes; leave out species 'R64'"):
        species_number({}, "R64")
