"""Shorkie against an oracle in plain numpy, and both against what Keras itself predicted."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cisgram.genome.alphabet import reverse_complement
from cisgram.models.base import mask_bases
from cisgram.models.keras import read_keras
from cisgram.models.shorkie import Shorkie
from parity.keras_files import (
    LM,
    TINY_LM,
    TINY_TRACKS,
    TRACKS,
    KerasShorkie,
    random_weights,
    write_keras,
)
from parity.numpy_shorkie import Outputs, forward, model_input

pytestmark = pytest.mark.whole

GOLDENS = Path(__file__).parent / "goldens"
N_SPECIES = TINY_LM.n_channels - 5
# Both sides compute in double precision; only the order of sums differs.
EXACT = 1e-10
# Keras computed in single precision.
KERAS = 1e-6


def write(path: Path, model: KerasShorkie, rng: np.random.Generator) -> Path:
    return write_keras(path, model, random_weights(model, rng))


def load(path: Path, dtype: torch.dtype = torch.float64) -> Shorkie:
    config, outputs, state = read_keras(path)
    model = Shorkie(config, outputs)
    model.load_state_dict(state)
    return model.eval().to(dtype)


def windows(
    rng: np.random.Generator, n: int, length: int = TINY_LM.window
) -> tuple[np.ndarray, np.ndarray]:
    """Draw tokens, every fifth an N, and which bases are hidden, some of the N among them."""
    tokens = rng.integers(0, 5, (n, length)).astype(np.uint8)
    return tokens, rng.random((n, length)) < 0.15


@torch.no_grad()
def scores(
    model: Shorkie, tokens: np.ndarray, mask: np.ndarray | None = None, species: int | None = None
) -> torch.Tensor:
    """What the network returns, before the last activation."""
    shown = torch.from_numpy(tokens)
    if mask is not None:
        shown = mask_bases(shown, torch.from_numpy(mask))
    numbers = None if species is None else torch.full((len(tokens),), species)
    return model(shown, numbers)


def linear(model: Shorkie, *asked: Any) -> np.ndarray:
    return scores(model, *asked).numpy()


def activated(model: Shorkie, *asked: Any) -> np.ndarray:
    """Probabilities of bases, or tracks."""
    output = model.outputs.in_units(scores(model, *asked).float())
    return (output.exp() if model.outputs.are_bases else output).numpy()


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    assert theirs.std() > 0.01
    return float(np.abs(ours - theirs).max())


@pytest.mark.parametrize("name", ["lm", "tracks"])
def test_oracle_and_model_predict_what_keras_does(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(gzip.decompress((GOLDENS / f"{name}.h5.gz").read_bytes()))
    golden = np.load(GOLDENS / f"{name}.npz")
    tokens, mask = np.minimum(golden["tokens"], 4), golden["tokens"] == 5
    species, predicted = int(golden["species"]), golden["predicted"]
    model = load(path)
    ours = activated(model, tokens, mask, species)
    crop = model.config.crop
    image = model_input(tokens, n_species=model.config.n_species, species=species, mask=mask)
    assert difference(ours, predicted) < KERAS
    assert difference(forward(path, image, crop=crop).activated, predicted) < KERAS


def test_language_model_with_mask_species_and_unknown_bases(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = write(tmp_path / "lm.h5", TINY_LM, rng)
    tokens, mask = windows(rng, 3)
    model = load(path)

    def oracle(mask: np.ndarray | None, species: int) -> Outputs:
        return forward(path, model_input(tokens, n_species=N_SPECIES, species=species, mask=mask))

    masked = oracle(mask, 2)
    assert difference(linear(model, tokens, mask, 2), masked.linear) < EXACT
    assert difference(activated(model, tokens, mask, 2), masked.activated) < KERAS
    plain = oracle(None, 0)
    assert difference(linear(model, tokens), plain.linear) < EXACT
    with torch.no_grad():
        embedded = model.embed(torch.from_numpy(tokens)).values.numpy()
    assert difference(embedded, plain.hidden) < EXACT
    # Mask and species matter, or the agreement above would say nothing of them.
    assert difference(plain.linear, oracle(mask, 0).linear) > 0.01
    assert difference(plain.linear, oracle(None, 2).linear) > 0.01


def test_hidden_is_not_unknown(tmp_path: Path, rng: np.random.Generator) -> None:
    model = load(write(tmp_path / "lm.h5", TINY_LM, rng))
    tokens, mask = windows(rng, 1)
    zeroed = np.where(mask, 4, tokens).astype(np.uint8)
    assert difference(linear(model, zeroed), linear(model, tokens, mask)) > 0.01


def test_each_window_of_a_batch_has_its_own_species(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    model = load(write(tmp_path / "lm.h5", TINY_LM, rng))
    tokens, _ = windows(rng, 3)
    with torch.no_grad():
        mixed = model(torch.from_numpy(tokens), torch.tensor([2, 0, 1])).numpy()
    for row, species in enumerate([2, 0, 1]):
        alone = linear(model, tokens[row : row + 1], None, species)
        assert difference(mixed[row : row + 1], alone) < EXACT


def test_reverse_complement_turns_letters_and_leaves_mask_and_species(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = write(tmp_path / "lm.h5", TINY_LM, rng)
    tokens, mask = windows(rng, 2)
    image = model_input(tokens, n_species=N_SPECIES, species=1, mask=mask)
    turned = image[:, ::-1][..., [3, 2, 1, 0, *range(4, TINY_LM.n_channels)]]
    model = load(path)
    ours = linear(model, reverse_complement(tokens), mask[:, ::-1].copy(), 1)
    assert difference(ours, forward(path, turned).linear) < EXACT


def test_model_of_tracks(tmp_path: Path, rng: np.random.Generator) -> None:
    path = write(tmp_path / "tracks.h5", TINY_TRACKS, rng)
    tokens, _ = windows(rng, 2)
    image = model_input(tokens, n_species=N_SPECIES, species=2)
    expected = forward(path, image, crop=TINY_TRACKS.crop)
    assert expected.linear.shape == (2, TINY_TRACKS.window // 2 - 2 * TINY_TRACKS.crop, 7)
    model = load(path)
    assert difference(linear(model, tokens, None, 2), expected.linear) < EXACT
    assert difference(activated(model, tokens, None, 2), expected.activated) < KERAS


@pytest.mark.parametrize("window", [8, 16, 24])
def test_windows_of_a_few_positions(window: int, tmp_path: Path, rng: np.random.Generator) -> None:
    path = write(tmp_path / "lm.h5", replace(TINY_LM, window=window), rng)
    tokens, mask = windows(rng, 2, window)
    model = load(path)
    image = model_input(tokens, n_species=N_SPECIES, species=1, mask=mask)
    assert difference(linear(model, tokens, mask, 1), forward(path, image).linear) < EXACT


def test_stem_of_four_channels(tmp_path: Path, rng: np.random.Generator) -> None:
    path = write(tmp_path / "tracks.h5", replace(TINY_TRACKS, n_channels=4), rng)
    tokens, _ = windows(rng, 2)
    image = model_input(tokens, n_species=0, species=None)[..., :4]
    expected = forward(path, image, crop=TINY_TRACKS.crop).linear
    assert difference(linear(load(path), tokens), expected) < EXACT


def test_single_precision_is_close(tmp_path: Path, rng: np.random.Generator) -> None:
    path = write(tmp_path / "lm.h5", TINY_LM, rng)
    tokens, mask = windows(rng, 2)
    model = load(path, torch.float32)
    image = model_input(tokens, n_species=N_SPECIES, species=1, mask=mask)
    ours = activated(model, tokens, mask, 1)
    assert difference(ours, forward(path, image).activated) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("model", "n_numbers"), [(LM, 13_665_828), (TRACKS, 14_253_567)])
def test_full_size(
    model: KerasShorkie,
    n_numbers: int,
    tmp_path: Path,
    rng: np.random.Generator,
) -> None:
    path = write(tmp_path / "model.h5", model, rng)
    assert path.stat().st_size > 4 * n_numbers
    ours = load(path, torch.float32)
    moments = [value for name, value in ours.named_buffers() if "running" in name]
    assert sum(value.numel() for value in (*ours.parameters(), *moments)) == n_numbers
    tokens, mask = windows(rng, 1, model.window)
    if isinstance(ours, ShorkieLM):
        predicted = probabilities(logits(ours, tokens, mask, 109))
    else:
        mask = None
        predicted = tracks(ours, tokens, 109)
    image = model_input(tokens, n_species=165, species=109, mask=mask)
    assert difference(predicted, forward(path, image, crop=model.crop).activated) < 1e-4
