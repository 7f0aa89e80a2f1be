import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.data.targets import Targets
from cisgram.models.checkpoint import load_model, save_model
from cisgram.models.shorkie import ShorkieConfig, ShorkieLM
from cisgram.train.fit_tracks import TARGETS, fit_tracks
from cisgram.train.track_task import TrackTask
from train.small_targets import SIZES, small_recipe


@pytest.mark.whole
def test_a_model_learns_signal_and_genes_on_the_right_strand(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, steps=120, batch=8, validate_every=120)
    fit_tracks(recipe, tmp_path / "run")
    model, card = load_model(tmp_path / "run")
    columns = {"tracks": ["word+", "word-"], "upstream": [0, 0], "values": ["worth"]}
    assert card["columns"] == columns
    targets = Targets.open(tmp_path / "run" / TARGETS)
    task = TrackTask(targets)
    places = [targets.interval(row, strand) for row in targets.split("test") for strand in "+-"]
    batch = targets.batch(places)
    with torch.inference_mode():
        rates = model(torch.from_numpy(batch.tokens)).numpy()[..., :2]
    for column in (0, 1):
        right = np.corrcoef(rates[..., column].ravel(), batch.counts[..., column].ravel())[0, 1]
        wrong = np.corrcoef(rates[..., column].ravel(), batch.counts[..., 1 - column].ravel())[0, 1]
        assert right > 0.8 > 0.4 > wrong
    untrained = small_recipe(tmp_path, steps=1, batch=1)
    fit_tracks(untrained, tmp_path / "untrained")
    assert task.validate(model, 8) < task.validate(load_model(tmp_path / "untrained")[0], 8)


def test_the_trunk_comes_from_a_language_model(tmp_path: Path) -> None:
    sizes = {name: value for name, value in SIZES.items() if name != "crop"}
    deeper = ShorkieLM(ShorkieConfig(**sizes | {"decoder_channels": [8, 8, 8, 8]}))
    save_model(tmp_path / "lm", deeper, card={"steps": 7, "genomes": {"toy": "abc"}})
    recipe = small_recipe(tmp_path, steps=1, batch=1, start="lm")
    object.__setattr__(recipe.optim, "lr", 0.0)
    fit_tracks(recipe, tmp_path / "run")
    model, card = load_model(tmp_path / "run")
    assert card["start"]["steps"] == 7
    weights = deeper.state_dict()
    taken = [name for name in model.state_dict() if name.startswith("trunk.")]
    assert any("decoder.1" in name for name in taken)
    for name in taken:
        if not name.endswith(("_mean", "_var", "_tracked")):
            torch.testing.assert_close(model.state_dict()[name], weights[name])


def test_a_start_of_other_sizes_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "lm", ShorkieLM(ShorkieConfig(window=128, n_species=1)), card={})
    with pytest.raises(
        ConfigError, match=r"a shorkie-lm whose trunk has other sizes than \[model\]"
    ):
        fit_tracks(small_recipe(tmp_path, steps=1, start="lm"), tmp_path / "run")


def test_what_a_run_was_made_from_is_written_down(tmp_path: Path) -> None:
    fit_tracks(small_recipe(tmp_path, steps=1, batch=1), tmp_path / "run")
    began = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(began["files"]) == {"fasta", "annotation", "genes", "word+", "word-"}
    assert began["held_out"] == {"valid": ["c2"], "test": ["c3"]}
    with pytest.raises(DataError, match="add --resume"):
        fit_tracks(small_recipe(tmp_path, steps=1, batch=1), tmp_path / "run")


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = small_recipe(tmp_path, steps=6, batch=2, checkpoint_every=3, validate_every=3)
    fit_tracks(whole, tmp_path / "whole")
    fit_tracks(
        small_recipe(tmp_path, steps=3, batch=2, checkpoint_every=3, validate_every=3),
        tmp_path / "parts",
    )
    fit_tracks(whole, tmp_path / "parts", resume=True)
    one, other = (load_model(tmp_path / name)[0].state_dict() for name in ("whole", "parts"))
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
