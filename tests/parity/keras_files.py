"""Keras 2 model files in the layout of the published Shorkie weights, with random numbers.

Written from a description of that layout alone: it shares nothing with the
reader in `cisgram.models.keras`, which is tested against it.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import h5py
import numpy as np

Shapes = dict[str, dict[str, tuple[int, ...]]]
"""Layer -> tensor, as `q_layer/kernel` -> shape; layers in the order Keras made them."""
Weights = dict[str, dict[str, np.ndarray]]

_WEIGHTLESS = {
    "sequence": "InputLayer",
    "stochastic_shift": "StochasticShift",
    "tf.nn.gelu": "TFOpLambda",
    "max_pooling1d": "MaxPooling1D",
    "dropout": "Dropout",
    "up_sampling1d": "UpSampling1D",
}
"""Name -> class of some of the layers that have a group in the file and no tensor in it."""


@dataclass(frozen=True, kw_only=True)
class KerasShorkie:
    """Sizes of a model; as they stand, those of the published language model."""

    stem: int = 96
    widths: tuple[int, ...] = (96, 128, 160, 192, 256, 320, 384)
    n_up: int = 7
    """U-Net blocks; 3 in the supervised model."""
    n_transformers: int = 8
    heads: int = 4
    key_size: int = 64
    n_features: int = 32
    """Features of a relative position."""
    n_channels: int = 170
    """Of the input: 4 letters, the mask flag, 165 species."""
    n_outputs: int = 4
    window: int = 16_384
    crop: int = 0
    """Bins cut from each end of the output."""
    first: Mapping[str, int] = field(default_factory=dict[str, int])
    """Kind of layer -> its first number; above 0 where the session had made such layers before."""

    @property
    def shapes(self) -> Shapes:
        """Name every tensor of the file."""
        made = Counter(self.first)
        layers: Shapes = {}

        def add(kind: str, tensors: dict[str, tuple[int, ...]]) -> None:
            number = made[kind]
            layers[f"{kind}_{number}" if number else kind] = tensors
            made[kind] += 1

        width = self.stem
        add("conv1d", _layer(11, self.n_channels, width))
        for wider in self.widths:
            add("batch_normalization", _batch_norm(width))
            add("conv1d", _layer(5, width, wider))
            add("batch_normalization", _batch_norm(wider))
            add("conv1d", _layer(1, wider, wider))
            add("scale", {"scale": (wider,)})
            width = wider
        for _ in range(self.n_transformers):
            add("layer_normalization", {"gamma": (width,), "beta": (width,)})
            add("multihead_attention", self._attention(width))
            add("layer_normalization", {"gamma": (width,), "beta": (width,)})
            add("dense", _layer(width, 2 * width))
            add("dense", _layer(2 * width, width))
        for skip in self.widths[::-1][: self.n_up]:
            add("batch_normalization", _batch_norm(width))
            add("batch_normalization", _batch_norm(skip))
            add("dense", _layer(width, width))
            add("dense", _layer(skip, width))
            separable = {"depthwise_kernel": (3, width, 1), "pointwise_kernel": (1, width, width)}
            add("separable_conv1d", {**separable, "bias": (width,)})
        add("dense", _layer(width, self.n_outputs))
        return layers

    def _attention(self, width: int) -> dict[str, tuple[int, ...]]:
        keys = self.heads * self.key_size
        return {
            "r_w_bias": (1, self.heads, 1, self.key_size),
            "r_r_bias": (1, self.heads, 1, self.key_size),
            "q_layer/kernel": (width, keys),
            "k_layer/kernel": (width, keys),
            "v_layer/kernel": (width, width),
            "embedding_layer/kernel": (width, width),
            "embedding_layer/bias": (width,),
            "r_k_layer/kernel": (self.n_features, keys),
        }

    def count(self, *, trainable: bool) -> int:
        """Count the numbers in the file, moving statistics included or not."""
        return sum(
            prod(shape)
            for tensors in self.shapes.values()
            for name, shape in tensors.items()
            if not (trainable and name.startswith("moving_"))
        )


LM = KerasShorkie()
TRACKS = KerasShorkie(n_up=3, n_outputs=5215, crop=64)
TINY_LM = KerasShorkie(
    stem=5,
    widths=(6, 8, 12),
    n_up=3,
    n_transformers=2,
    heads=3,
    key_size=5,
    n_channels=8,
    window=256,
)
TINY_TRACKS = replace(TINY_LM, n_up=2, n_outputs=7, crop=5)


def made_second(model: KerasShorkie) -> KerasShorkie:
    """Return the same model, the second that its Keras session made."""
    return replace(model, first=Counter(re.sub(r"_\d+$", "", layer) for layer in model.shapes))


def _layer(*shape: int) -> dict[str, tuple[int, ...]]:
    return {"kernel": shape, "bias": shape[-1:]}


def _batch_norm(width: int) -> dict[str, tuple[int, ...]]:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return dict.fromkeys(names, (width,))


def random_weights(model: KerasShorkie, rng: np.random.Generator) -> Weights:
    """Draw weights that keep activations near 1, so that every one of them tells in the output."""
    return {
        layer: {name: _random(name, shape, rng) for name, shape in tensors.items()}
        for layer, tensors in model.shapes.items()
    }


def _random(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    tensor = name.rsplit("/", 1)[-1]
    if tensor == "moving_variance":
        values = rng.uniform(0.5, 2, shape)
    elif tensor == "depthwise_kernel":
        values = rng.normal(0, shape[0] ** -0.5, shape)
    elif tensor.endswith("kernel"):
        values = rng.normal(0, prod(shape[:-1]) ** -0.5, shape)
    else:
        spread = {"scale": 0.5, "r_w_bias": 1.0, "r_r_bias": 1.0}.get(tensor, 0.2)
        values = rng.normal(float(tensor == "gamma"), spread, shape)
    return values.astype(np.float32)


def write_keras(path: Path, model: KerasShorkie, weights: Weights) -> Path:
    """Write a full-model file as Keras 2 does."""
    classes = _WEIGHTLESS | ({"cropping1d": "Cropping1D"} if model.crop else {})
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights")
        for place in (file, root):
            place.attrs["keras_version"] = "2.15.0"
            place.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(_describe(model, classes))
        root.attrs["layer_names"] = [name.encode() for name in (*classes, *weights)]
        for layer in (*classes, "top_level_model_weights"):
            root.create_group(layer).attrs["weight_names"] = np.zeros(0)
        for layer, tensors in weights.items():
            group = root.create_group(layer)
            names = [f"{layer}/{tensor}:0" for tensor in tensors]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, values in zip(names, tensors.values(), strict=True):
                group[name] = values
    return path


def _describe(model: KerasShorkie, classes: Mapping[str, str]) -> dict[str, object]:
    """Make the part of Keras' description that no array tells: window and crop."""
    settings = {
        "InputLayer": {"batch_input_shape": [None, model.window, model.n_channels]},
        "Cropping1D": {"cropping": [model.crop, model.crop]},
    }
    layers = [
        {"class_name": kind, "config": {"name": name, **settings.get(kind, {})}, "name": name}
        for name, kind in classes.items()
    ]
    return {"class_name": "Functional", "config": {"name": "model", "layers": layers}}
