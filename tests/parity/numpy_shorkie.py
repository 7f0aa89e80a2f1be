"""Shorkie's forward pass in plain numpy, layer by layer, in float64, from a Keras file.

The oracle of the torch model: it follows the description of the network step by
step, however slow, and reads the file by the names in it.
"""

import re
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

Tensors = dict[str, np.ndarray]
_EPSILON = 1e-3


class Outputs(NamedTuple):
    """What the network makes of its input."""

    hidden: np.ndarray
    """After the transformer, (batch, positions, channels)."""
    linear: np.ndarray
    """Before the last activation, (batch, bins, outputs)."""
    activated: np.ndarray
    """Softmax of a language model, softplus of a supervised one."""


def model_input(
    tokens: np.ndarray, *, n_species: int, species: int | None, mask: np.ndarray | None = None
) -> np.ndarray:
    """Set A C G T, the mask flag and the species, base by base: (batch, length, 5 + species)."""
    batch, length = tokens.shape
    x = np.zeros((batch, length, 5 + n_species))
    for row in range(batch):
        for base in range(length):
            if mask is not None and mask[row, base]:
                x[row, base, 4] = 1
            elif tokens[row, base] < 4:
                x[row, base, tokens[row, base]] = 1
            if species is not None:
                x[row, base, 5 + species] = 1
    return x


def read_layers(path: Path) -> dict[str, list[Tensors]]:
    """Read the tensors of each kind of layer, in the order of the layers' numbers."""
    found: dict[str, list[tuple[int, Tensors]]] = {}
    with h5py.File(path) as file:
        for layer, group in file["model_weights"].items():
            if layer not in group:
                continue
            name = re.fullmatch(r"(.+?)(?:_(\d+))?", layer)
            tensors: Tensors = {}
            group[layer].visititems(
                lambda key, item, tensors=tensors: (
                    tensors.update({key.removesuffix(":0"): item[()].astype(np.float64)})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
            found.setdefault(name[1], []).append((int(name[2] or 0), tensors))
    return {
        kind: [tensors for _, tensors in sorted(layers, key=lambda numbered: numbered[0])]
        for kind, layers in found.items()
    }


def forward(path: Path, x: np.ndarray, *, crop: int = 0) -> Outputs:
    """Run the network of a file on (batch, length, channels); `crop` bins go at each end."""
    kinds = read_layers(path)
    layers = {kind: iter(tensors) for kind, tensors in kinds.items()}
    n_blocks, n_up = len(kinds["scale"]), len(kinds["separable_conv1d"])
    x = conv(x, next(layers["conv1d"]))
    skips = []
    for _ in range(n_blocks):
        x = conv(gelu(batch_norm(x, next(layers["batch_normalization"]))), next(layers["conv1d"]))
        y = gelu(batch_norm(x, next(layers["batch_normalization"])))
        x = x + conv(y, next(layers["conv1d"])) * next(layers["scale"])["scale"]
        skips.append(x)
        x = np.maximum(x[:, 0::2], x[:, 1::2])
    for _ in range(len(kinds["multihead_attention"])):
        y = layer_norm(x, next(layers["layer_normalization"]))
        x = x + attention(y, next(layers["multihead_attention"]))
        y = dense(layer_norm(x, next(layers["layer_normalization"])), next(layers["dense"]))
        x = x + dense(np.maximum(y, 0), next(layers["dense"]))
    hidden = x
    for skip in skips[::-1][:n_up]:
        x = gelu(batch_norm(x, next(layers["batch_normalization"])))
        skip = gelu(batch_norm(skip, next(layers["batch_normalization"])))
        x = np.repeat(dense(x, next(layers["dense"])), 2, axis=1)
        x = x + dense(skip, next(layers["dense"]))
        x = separable_conv(x, next(layers["separable_conv1d"]))
    x = x[:, crop : x.shape[1] - crop]
    linear = dense(gelu(x), next(layers["dense"]))
    return Outputs(hidden, linear, softmax(linear) if n_up == n_blocks else softplus(linear))


def conv(x: np.ndarray, layer: Tensors) -> np.ndarray:
    """Convolve, output as long as input, zeros outside; kernel (taps, in, out)."""
    kernel = layer["kernel"]
    taps = len(kernel)
    padded = np.pad(x, ((0, 0), ((taps - 1) // 2, taps // 2), (0, 0)))
    length = x.shape[1]
    return sum(padded[:, tap : tap + length] @ kernel[tap] for tap in range(taps)) + layer["bias"]


def separable_conv(x: np.ndarray, layer: Tensors) -> np.ndarray:
    """Convolve each channel by itself, then mix channels."""
    depthwise = layer["depthwise_kernel"]
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    y = sum(padded[:, tap : tap + x.shape[1]] * depthwise[tap, :, 0] for tap in range(3))
    return y @ layer["pointwise_kernel"][0] + layer["bias"]


def dense(x: np.ndarray, layer: Tensors) -> np.ndarray:
    return x @ layer["kernel"] + layer["bias"]


def batch_norm(x: np.ndarray, layer: Tensors) -> np.ndarray:
    standard = (x - layer["moving_mean"]) / np.sqrt(layer["moving_variance"] + _EPSILON)
    return standard * layer["gamma"] + layer["beta"]


def layer_norm(x: np.ndarray, layer: Tensors) -> np.ndarray:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + _EPSILON) * layer["gamma"] + layer["beta"]


def gelu(x: np.ndarray) -> np.ndarray:
    """Tanh approximation."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x: np.ndarray) -> np.ndarray:
    exp = np.exp(x - x.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0)


def attention(x: np.ndarray, layer: Tensors) -> np.ndarray:
    """Attend with content and relative position, head by head."""
    _, heads, _, key_size = layer["r_w_bias"].shape
    length, value_size = x.shape[1], x.shape[2] // heads
    positions = position_features(length, layer["r_k_layer/kernel"].shape[0])
    queries = x @ layer["q_layer/kernel"] * key_size**-0.5
    keys, values = x @ layer["k_layer/kernel"], x @ layer["v_layer/kernel"]
    relative_keys = positions @ layer["r_k_layer/kernel"]
    mixed = np.empty_like(values)
    for head in range(heads):
        part = slice(head * key_size, (head + 1) * key_size)
        value_part = slice(head * value_size, (head + 1) * value_size)
        r_w, r_r = layer["r_w_bias"][0, head, 0], layer["r_r_bias"][0, head, 0]
        for row in range(len(x)):
            query = queries[row, :, part]
            logits = (query + r_w) @ keys[row, :, part].T
            logits += relative_shift((query + r_r) @ relative_keys[:, part].T)
            mixed[row, :, value_part] = softmax(logits) @ values[row, :, value_part]
    return mixed @ layer["embedding_layer/kernel"] + layer["embedding_layer/bias"]


def position_features(length: int, n_features: int) -> np.ndarray:
    """Describe every distance from -(length-1) to length-1: central masks, and the same signed."""
    n_masks = n_features // 2
    features = np.zeros((2 * length - 1, n_features))
    for row, distance in enumerate(range(-(length - 1), length)):
        for mask in range(n_masks):
            if abs(distance) < (length + 1) ** ((mask + 1) / n_masks) - 1:
                features[row, mask] = 1
                features[row, n_masks + mask] = np.sign(distance)
    return features


def relative_shift(logits: np.ndarray) -> np.ndarray:
    """Turn (queries, distances) into (queries, keys), as Transformer-XL does it."""
    queries, distances = logits.shape
    x = np.concatenate([np.zeros((queries, 1)), logits], axis=1)
    x = x.reshape(distances + 1, queries)[1:]
    return x.reshape(queries, distances)[:, :queries]
