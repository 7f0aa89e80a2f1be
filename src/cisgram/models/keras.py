"""Shorkie's published weights, which are Keras 2 model files, as models of cisgram.

In such a file a layer is a group, named by its kind and a number. The numbers say in which order
the layers of a kind were made, and need not start at zero. Every array in the file ends up in
the model, or the file is refused.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError, DataError, check_file, few, missing_extra
from cisgram.core.device import shapes_only
from cisgram.data.outputs import Outputs
from cisgram.models.hub import save_model
from cisgram.models.shorkie import Shorkie, ShorkieConfig

_PARAMETERS = {
    "conv1d": {"kernel": "weight", "bias": "bias"},
    "batch_normalization": {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
    "scale": {"scale": "scale"},
    "layer_normalization": {"gamma": "weight", "beta": "bias"},
    "multihead_attention": {
        "q_layer/kernel": "query.weight",
        "k_layer/kernel": "key.weight",
        "v_layer/kernel": "value.weight",
        "r_k_layer/kernel": "distance.weight",
        "r_w_bias": "content_bias",
        "r_r_bias": "position_bias",
        "embedding_layer/kernel": "out.weight",
        "embedding_layer/bias": "out.bias",
    },
    "dense": {"kernel": "weight", "bias": "bias"},
    "separable_conv1d": {
        "depthwise_kernel": "depthwise.weight",
        "pointwise_kernel": "pointwise.weight",
        "bias": "pointwise.bias",
    },
}
"""Kind of layer -> array in the file -> parameter of our module."""


class KerasModel(NamedTuple):
    """A model out of a Keras file."""

    config: ShorkieConfig
    outputs: Outputs
    """Bases, or tracks without names: files hold none."""
    state: dict[str, Tensor]
    """What `load_state_dict` of the model takes."""


class _Layer(NamedTuple):
    """A layer that has weights."""

    name: str
    """As in the file."""
    arrays: dict[str, Float32[np.ndarray, "..."]]
    """By their names within the layer: `kernel`, `q_layer/kernel` ..."""

    def size(self, array: str, axis: int) -> int:
        """Return one size of an array; 1 where it has no such axis, which no model fits."""
        shape = self.arrays[array].shape
        return shape[axis] if -len(shape) <= axis < len(shape) else 1


_Layers = dict[str, list[_Layer]]
"""Kind -> its layers, in the order they were made."""


def read_keras(path: Path | str) -> KerasModel:
    """Read a Shorkie model that Keras 2 saved whole: the language model or one of tracks.

    A stem of 4 channels, without mask flag or species, gains a flag that has no effect.

    Raises:
        ConfigError: h5py is not installed.
        DataError: the file is damaged, no such model, or holds anything this reader cannot place.
    """
    path = check_file(path, "weights file")
    arrays, description = _read_arrays(path)
    layers = _sort_layers(path, arrays)
    modules = _modules(path, layers)
    try:
        config, outputs = _infer_sizes(path, layers, description)
        with shapes_only():
            model = Shorkie(config, outputs)
    except ConfigError as error:
        raise DataError(f"{path} holds no Shorkie model: {error}") from error
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    # What counts the batches a norm has seen is torch's own and not used here.
    state = {name: torch.zeros((), dtype=torch.int64) for name in shapes if not shapes[name]}
    for kind, made in layers.items():
        for layer, module in zip(made, modules[kind], strict=True):
            for array, parameter in _PARAMETERS[kind].items():
                name = f"{module}.{parameter}"
                state[name] = _tensor(path, layer, array, shape=shapes[name])
    return KerasModel(config, outputs, {name: state[name] for name in shapes})


def _read_arrays(path: Path) -> tuple[dict[str, Float32[np.ndarray, "..."]], str]:
    """Return the file's arrays by their paths, and its own description of its layers."""
    try:
        import h5py
    except ImportError:
        missing_extra("h5py", "convert")
    if not h5py.is_hdf5(path):
        raise DataError(f"{path} is not an HDF5 file; name the .h5 file that Keras saved.")
    arrays: dict[str, Float32[np.ndarray, "..."]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.dtype.kind != "f":
                raise DataError(
                    f"{name} in {path} holds {item.dtype} values and weights are floating-point "
                    "numbers; name a Shorkie model."
                )
            arrays[name] = np.asarray(item[()], np.float32)

    try:
        with h5py.File(path, "r") as file:
            weights = file.get("model_weights")
            if not isinstance(weights, h5py.Group) or "model_config" not in file.attrs:
                raise DataError(
                    f"{path} lacks model_weights or model_config, so it is no whole Keras 2 "
                    "model; save it with Keras 2 and model.save to an .h5 file."
                )
            weights.visititems(visit)
            description = file.attrs["model_config"]
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}); download or copy it again.") from error
    if isinstance(description, bytes):
        description = description.decode("utf-8", "replace")
    return arrays, str(description)


def _sort_layers(path: Path, arrays: Mapping[str, Float32[np.ndarray, "..."]]) -> _Layers:
    """Put arrays into layers and layers in order; refuse what is no whole layer of Shorkie."""
    numbered: dict[str, dict[int, _Layer]] = {kind: {} for kind in _PARAMETERS}
    name = re.compile(rf"(({'|'.join(_PARAMETERS)})(?:_([1-9]\d*))?)/\1/(.+):0")
    for place, values in arrays.items():
        match = name.fullmatch(place)
        if not match or match[4] not in _PARAMETERS[match[2]]:
            raise DataError(
                f"{path} holds {place}, which is no part of Shorkie; name a Shorkie model."
            )
        if not np.isfinite(values).all():
            raise DataError(
                f"{place} in {path} is not finite everywhere; take an earlier checkpoint."
            )
        layer = numbered[match[2]].setdefault(int(match[3] or 0), _Layer(match[1], {}))
        layer.arrays[match[4]] = values
    for kind, made in numbered.items():
        for layer in made.values():
            missing = _PARAMETERS[kind].keys() - layer.arrays.keys()
            if missing:
                raise DataError(
                    f"{layer.name} in {path} lacks {few(sorted(missing))}; save or download the "
                    "file again."
                )
    return {kind: [made[number] for number in sorted(made)] for kind, made in numbered.items()}


def _modules(path: Path, layers: _Layers) -> dict[str, list[str]]:
    """Name our module for every layer, kind by kind; refuse numbers that do not fit together."""
    encoder = [f"trunk.encoder.{i}" for i in range(len(layers["scale"]))]
    transformer = [f"trunk.transformer.{i}" for i in range(len(layers["multihead_attention"]))]
    decoder = [f"trunk.decoder.{i}" for i in range(len(layers["separable_conv1d"]))]
    modules = {
        "conv1d": ["trunk.stem", *(f"{block}.conv{i}" for block in encoder for i in (1, 2))],
        "batch_normalization": [
            *(f"{block}.norm{i}" for block in encoder for i in (1, 2)),
            *(f"{block}.{norm}" for block in decoder for norm in ("norm", "skip_norm")),
        ],
        "scale": encoder,
        "layer_normalization": [
            f"{block}.{part}_norm" for block in transformer for part in ("attention", "feed")
        ],
        "multihead_attention": [f"{block}.attention" for block in transformer],
        "dense": [
            *(f"{block}.feed{i}" for block in transformer for i in (1, 2)),
            *(f"{block}.{part}" for block in decoder for part in ("dense", "skip_dense")),
            "head",
        ],
        "separable_conv1d": decoder,
    }
    wrong = [
        f"{len(layers[kind])} {kind} where {len(names)} belong"
        for kind, names in modules.items()
        if len(names) != len(layers[kind])
    ]
    if wrong or not (encoder and transformer and decoder):
        blocks = f"{len(encoder)} scale, {len(transformer)} multihead_attention"
        raise DataError(
            f"{path} has {blocks} and {len(decoder)} separable_conv1d layers"
            + (f", but {' and '.join(wrong)}" if wrong else "")
            + "; name a whole Shorkie model."
        )
    return modules


def _infer_sizes(path: Path, layers: _Layers, description: str) -> tuple[ShorkieConfig, Outputs]:
    """Read the sizes off the arrays, and window and crop off the description."""
    stem, convs = layers["conv1d"][0], layers["conv1d"][1::2]
    attention = layers["multihead_attention"]
    head, decoder = layers["dense"][-1], layers["dense"][2 * len(attention) : -1 : 2]
    if stem.size("kernel", -2) == 4:
        stem.arrays["kernel"] = np.pad(stem.arrays["kernel"], ((0, 0), (0, 1), (0, 0)))
    window, crop = _window_and_crop(path, description)
    config = ShorkieConfig(
        n_species=stem.size("kernel", -2) - 5,
        window=window,
        stem_channels=stem.size("kernel", -1),
        channels=tuple(conv.size("kernel", -1) for conv in convs),
        n_layers=len(attention),
        n_heads=attention[0].size("r_w_bias", 1),
        key_size=attention[0].size("r_w_bias", -1),
        decoder_channels=tuple(dense.size("kernel", -1) for dense in decoder),
        crop=crop,
    )
    n_outputs, geometry = head.size("kernel", -1), config.geometry
    if n_outputs == 4 and geometry.resolution == 1:
        if crop:
            raise DataError(
                f"{path} is a language model by its layers, but cuts {crop} bases off each end of "
                "its output; name a Shorkie model."
            )
        return config, Outputs.of_bases()
    outputs = Outputs(
        row="bin",
        names=tuple(f"track{number}" for number in range(n_outputs)),
        resolution=geometry.resolution,
        margin=geometry.margin,
        activation="softplus",
    )
    return config, outputs


def _window_and_crop(path: Path, description: str) -> tuple[int, int]:
    """Find the length of the input, and what is cut from each end of the output."""
    window, ends = None, [0, 0]
    try:
        for layer in json.loads(description)["config"]["layers"]:
            if layer["class_name"] == "InputLayer":
                window = int(layer["config"]["batch_input_shape"][1])
            elif layer["class_name"] == "Cropping1D":
                ends = [int(n) for n in layer["config"]["cropping"]]
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"model_config of {path} does not read as Keras 2 writes it; save the model again."
        ) from error
    if window is None or ends != ends[:1] * 2:
        raise DataError(
            f"model_config of {path} says a window of {window} bases and ends of {ends} cut off, "
            "where Shorkie has one window and equal ends; name a Shorkie model."
        )
    return window, ends[0]


def _tensor(path: Path, layer: _Layer, array: str, *, shape: tuple[int, ...]) -> Tensor:
    """Return an array of the file as our parameter of that shape, and refuse one of another.

    Keras has the axes of a kernel in the opposite order, taps before inputs before outputs.
    """
    values = layer.arrays[array]
    if array == "depthwise_kernel":
        expected = (shape[2], shape[0], 1)
    elif array.endswith("kernel"):
        expected = shape[1::-1] if layer.name.startswith("dense") else shape[::-1]
    else:
        expected = (1, *shape) if array in ("r_w_bias", "r_r_bias") else shape
    if values.shape != expected:
        found, wanted = (
            " x ".join(map(str, n)) or "a single number" for n in (values.shape, expected)
        )
        raise DataError(
            f"{layer.name}/{array} in {path} is {found} and the layers around it ask for {wanted}; "
            "name a Shorkie model."
        )
    values = values.T if array.endswith("kernel") else values
    return torch.from_numpy(values.reshape(shape).copy())


def convert_keras(weights: Path | str, out: Path | str) -> Shorkie:
    """Read a Keras file and write the model as a directory that `load_model` takes.

    Raises:
        ConfigError: h5py is not installed.
        DataError: the file cannot be used, or `out` exists.
    """
    config, outputs, state = read_keras(weights)
    model = Shorkie(config, outputs)
    model.load_state_dict(state)
    card = {
        "description": f"Converted from {Path(weights).name}",
        "source_sha256": sha256(Path(weights)),
    }
    save_model(out, model, card=card)
    return model
