"""Reading Keras files: names and sizes of the layout, what is inferred, what is refused."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.data.outputs import Outputs
from cisgram.models.hub import load_model
from cisgram.models.keras import convert_keras, read_keras
from cisgram.models.shorkie import Shorkie, ShorkieConfig
from parity.keras_files import (
    LM,
    TINY_LM,
    TINY_TRACKS,
    TRACKS,
    KerasShorkie,
    made_second,
    random_weights,
    write_keras,
)

LM_CONFIG = ShorkieConfig(
    n_species=3,
    window=256,
    stem_channels=5,
    channels=(6, 8, 12),
    n_layers=2,
    n_heads=3,
    key_size=5,
    decoder_channels=(12, 12, 12),
)
TRACKS_CONFIG = replace(LM_CONFIG, decoder_channels=(12, 12), crop=5)
BASES = Outputs.of_bases()


def of_tracks(n: int) -> Outputs:
    """Tracks in bins of two bases, five of which are left out at each end."""
    names = tuple(f"track{number}" for number in range(n))
    return Outputs(row="bin", names=names, resolution=2, margin=10, activation="softplus")


@pytest.fixture
def lm(tmp_path: Path, rng: np.random.Generator) -> Path:
    return write_keras(tmp_path / "lm.h5", TINY_LM, random_weights(TINY_LM, rng))


def rewrite(path: Path, old: str, values: np.ndarray | None) -> None:
    """Put other values where an array was; None takes it away."""
    with h5py.File(path, "r+") as file:
        layer = old.split("/")[0]
        place = f"model_weights/{layer}/{old}:0"
        if place in file:
            del file[place]
        if values is not None:
            file[place] = values


def test_layout_has_the_published_sizes() -> None:
    assert LM.count(trainable=False) == 13_665_828
    assert LM.count(trainable=True) == 13_651_812
    assert TRACKS.count(trainable=False) == 14_253_567
    assert TRACKS.count(trainable=True) == 14_243_775


def test_layout_has_the_published_names() -> None:
    lm, tracks = LM.shapes, TRACKS.shapes
    assert lm["conv1d"]["kernel"] == (11, 170, 96)
    assert lm["conv1d_14"]["kernel"] == (1, 384, 384)
    assert lm["multihead_attention_7"]["r_w_bias"] == (1, 4, 1, 64)
    assert lm["dense_14"]["kernel"] == (384, 768)
    assert lm["dense_29"]["kernel"] == (96, 384)
    assert lm["dense_30"]["kernel"] == (384, 4)
    assert tracks["dense_22"]["kernel"] == (384, 5215)
    assert {"batch_normalization_27", "separable_conv1d_6", "scale_6"} <= lm.keys()
    assert {"batch_normalization_19", "separable_conv1d_2"} <= tracks.keys()
    assert not {"batch_normalization_28", "layer_normalization_16", "dense_31"} & lm.keys()
    assert not {"batch_normalization_20", "separable_conv1d_3", "dense_23"} & tracks.keys()


@pytest.mark.parametrize(
    ("model", "config", "outputs"),
    [
        (TINY_LM, LM_CONFIG, BASES),
        (made_second(TINY_LM), LM_CONFIG, BASES),
        (replace(TINY_LM, first={"conv1d": 96}), LM_CONFIG, BASES),
        (TINY_TRACKS, TRACKS_CONFIG, of_tracks(7)),
        (made_second(TINY_TRACKS), TRACKS_CONFIG, of_tracks(7)),
        (replace(TINY_TRACKS, n_outputs=4), TRACKS_CONFIG, of_tracks(4)),
        (replace(TINY_TRACKS, n_channels=4), replace(TRACKS_CONFIG, n_species=0), of_tracks(7)),
    ],
    ids=["lm", "lm second", "lm convs later", "tracks", "tracks second", "4 tracks", "4 channels"],
)
def test_sizes_and_every_number_arrive(
    model: KerasShorkie,
    config: ShorkieConfig,
    outputs: Outputs,
    tmp_path: Path,
    rng: np.random.Generator,
) -> None:
    weights = random_weights(model, rng)
    read = read_keras(write_keras(tmp_path / "model.h5", model, weights))
    assert (read.config, read.outputs) == (config, outputs)
    Shorkie(config, outputs).load_state_dict(read.state)
    assert all(value.dtype == torch.float32 for value in read.state.values() if value.ndim)
    written = [values.ravel() for layer in weights.values() for values in layer.values()]
    if model.n_channels == 4:
        written.append(np.zeros(11 * model.stem, np.float32))
    arrived = [value.numpy().ravel() for value in read.state.values() if value.ndim]
    np.testing.assert_array_equal(
        np.sort(np.concatenate(arrived)), np.sort(np.concatenate(written))
    )


def test_a_converted_file_is_a_model_like_any_other(lm: Path, tmp_path: Path) -> None:
    converted = convert_keras(lm, tmp_path / "model")
    model, card = load_model(tmp_path / "model")
    assert (model.kind, model.outputs) == ("shorkie", BASES)
    state = model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in converted.state_dict().items())
    assert card["description"] == "Converted from lm.h5"
    assert len(card["source_sha256"]) == 64
    with pytest.raises(DataError, match="exists"):
        convert_keras(lm, tmp_path / "model")


def test_half_precision_and_big_endian_numbers(lm: Path) -> None:
    bias = np.arange(5, dtype=np.float32)
    for dtype in ("<f2", ">f4", ">f8"):
        rewrite(lm, "conv1d/bias", bias.astype(dtype))
        np.testing.assert_array_equal(read_keras(lm).state["trunk.stem.bias"].numpy(), bias)


@pytest.mark.parametrize("layer", ["conv1d_3", "dense", "scale_2", "separable_conv1d_1"])
def test_missing_layer(layer: str, lm: Path) -> None:
    with h5py.File(lm, "r+") as file:
        del file[f"model_weights/{layer}"]
    with pytest.raises(DataError, match=r"where \d+ belong"):
        read_keras(lm)


@pytest.mark.parametrize(
    ("array", "values", "words"),
    [
        ("dense_3/bias", None, "dense_3 in .* lacks bias; "),
        ("multihead_attention_1/r_w_bias", None, "multihead_attention_1 in .* lacks r_w_bias; "),
        ("dense_3/gain", np.ones(3), "holds dense_3/dense_3/gain:0, which is no part of Shorkie"),
        ("conv1d_0/kernel", np.ones(3), "holds conv1d_0/conv1d_0/kernel:0, which is no part"),
        ("lstm/kernel", np.ones(3), "holds lstm/lstm/kernel:0, which is no part of Shorkie; "),
        ("dense/bias", np.ones(24, np.int32), "dense/dense/bias:0 .* int32 .* floating-point"),
        ("dense/bias", np.full(24, np.nan), "dense/dense/bias:0 .* not finite"),
        ("dense/bias", np.ones(23), "dense/bias in .* is 23 and .* ask for 24; "),
        ("dense/kernel", np.ones((24, 12)), "dense/kernel in .* 24 x 12 and .* 12 x 24"),
        ("conv1d_2/kernel", np.ones((6, 6)), "conv1d_2/kernel in .* 6 x 6 and .* 1 x 6 x 6"),
        ("conv1d_2/kernel", np.float32(1), "conv1d_2/kernel in .* is a single number and .* ask"),
        ("conv1d_1/kernel", np.ones((3, 5, 6)), "conv1d_1/kernel in .* 3 x 5 x 6 and .* 5 x 5 x 6"),
        ("conv1d/kernel", np.ones((11, 3, 5)), "no Shorkie model: n_species must be at least 0"),
        ("multihead_attention/r_w_bias", np.ones((1, 5, 1, 5)), "multiple of n_heads"),
        (
            "multihead_attention_1/r_r_bias",
            np.ones((3, 5)),
            "is 3 x 5 and .* ask for 1 x 3 x 1 x 5",
        ),
        ("separable_conv1d/depthwise_kernel", np.ones((5, 12, 1)), "5 x 12 x 1 .* 3 x 12 x 1"),
        ("scale/scale", np.ones((1, 6)), "scale/scale in .* is 1 x 6 and .* ask for 6; "),
    ],
)
def test_array_that_does_not_fit(
    array: str, values: np.ndarray | None, words: str, lm: Path
) -> None:
    rewrite(lm, array, values)
    with pytest.raises(DataError, match=words) as caught:
        read_keras(lm)
    assert str(lm) in str(caught.value)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100_000])


def spoil_inside(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    place = whole.rindex(b"SNOD")
    whole[place : place + 4] = b"\0\0\0\0"
    path.write_bytes(whole)


def drop_description(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]


def describe(text: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = text

    return spoil


def drop_everything(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for layer in list(file["model_weights"]):
            del file["model_weights"][layer]


def move_up(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for layer in list(file["model_weights"]):
            file.move(f"model_weights/{layer}", layer)
        del file["model_weights"]


CROPPED = (
    '{"config": {"layers": ['
    '{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 256, 8]}},'
    '{"class_name": "Cropping1D", "config": {"cropping": [2, 3]}}]}}'
)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Path.unlink, "does not exist"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("version https://git-lfs"), "is not an HDF5 file; name the"),
        (cut_short, "is damaged .*; download or copy it again"),
        (spoil_inside, "is damaged .*; download or copy it again"),
        (drop_description, "lacks model_weights or model_config"),
        (move_up, "lacks model_weights or model_config"),
        (drop_everything, "has 0 scale, 0 multihead_attention and 0 separable_conv1d layers"),
        (describe("{}"), "model_config of .* does not read as Keras 2 writes it"),
        (describe("not JSON"), "model_config of .* does not read as Keras 2 writes it"),
        (describe('{"config": {"layers": []}}'), "says a window of None bases"),
        (describe(CROPPED), r"ends of \[2, 3\] cut off"),
        (describe(CROPPED.replace("256", "null")), "model_config of .* does not read"),
        (describe(CROPPED.replace("256", "250").replace("3]", "2]")), "multiple of 8; got 250"),
        (describe(CROPPED.replace("3]", "2]")), "language model .* 2 bases"),
    ],
)
def test_file_that_cannot_be_used(spoil: Callable[[Path], None], words: str, lm: Path) -> None:
    spoil(lm)
    with pytest.raises(DataError, match=words) as caught:
        read_keras(lm)
    assert str(lm) in str(caught.value)


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a directory"):
        read_keras(tmp_path)


def test_without_h5py(lm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigError, match=r"h5py.*pip install '.*\[convert\]'"):
        read_keras(lm)
