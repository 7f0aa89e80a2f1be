"""Write small Shorkie models with Keras 2 itself, and what it predicts with them.

    python -m venv KERAS && KERAS/bin/pip install tensorflow-cpu==2.15.1
    KERAS/bin/python scripts/make_keras_goldens.py

TensorFlow 2.15 is what the published weights were made with and needs Python 3.11 at most, so
it is no dependency of cisgram. Writes tests/parity/goldens: a model file (.h5.gz) as `model.save`
leaves it, and its input and predictions (.npz), for a language model and, second in the same
session, a model of tracks. The tests compare with tolerance; weights come from a fixed seed.
"""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

GOLDENS = Path(__file__).parents[1] / "tests" / "parity" / "goldens"
LETTERS, N_SPECIES, SPECIES = 5, 3, 1
WINDOW, STEM, WIDTHS = 64, 5, (6, 8)
HEADS, KEY_SIZE, N_FEATURES = 2, 3, 32
SPREADS = {"scale": 0.5, "r_w_bias": 1.0, "r_r_bias": 1.0}

layers = tf.keras.layers


class Scale(layers.Layer):
    """A learned factor per channel."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the factors."""
        self.scale = self.add_weight(name="scale", shape=[shape[-1]])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Scale the channels."""
        return x * self.scale


class MultiheadAttention(layers.Layer):
    """Attention with relative positions; the names of the weights are those of the layout."""

    def __init__(self) -> None:
        super().__init__()
        keys, width = HEADS * KEY_SIZE, WIDTHS[-1]
        self.q = layers.Dense(keys, name="q_layer", use_bias=False)
        self.k = layers.Dense(keys, name="k_layer", use_bias=False)
        self.v = layers.Dense(width, name="v_layer", use_bias=False)
        self.r_k = layers.Dense(keys, name="r_k_layer", use_bias=False)
        self.out = layers.Dense(width, name="embedding_layer")
        shape = [1, HEADS, 1, KEY_SIZE]
        self.r_w = self.add_weight(f"{self.name}/r_w_bias", shape=shape)
        self.r_r = self.add_weight(f"{self.name}/r_r_bias", shape=shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Mix the positions."""
        length = x.shape[1]
        q, k, v, r_k = (
            tf.transpose(tf.reshape(y, [-1, y.shape[1], HEADS, y.shape[2] // HEADS]), [0, 2, 1, 3])
            for y in (self.q(x), self.k(x), self.v(x), self.r_k(features(length)))
        )
        q = q * KEY_SIZE**-0.5
        relative = tf.matmul(q + self.r_r, r_k, transpose_b=True)
        relative = tf.concat([tf.zeros_like(relative[..., :1]), relative], -1)
        relative = tf.reshape(relative, [-1, HEADS, 2 * length, length])[:, :, 1:]
        relative = tf.reshape(relative, [-1, HEADS, length, 2 * length - 1])[..., :length]
        weights = tf.nn.softmax(tf.matmul(q + self.r_w, k, transpose_b=True) + relative)
        mixed = tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3])
        return self.out(tf.reshape(mixed, [-1, length, WIDTHS[-1]]))


def features(length: int) -> tf.Tensor:
    """Describe each distance by central masks, in single precision as TensorFlow computes them."""
    distances = tf.range(1 - length, length, dtype=tf.float32)[None, :, None]
    n = N_FEATURES // 2
    base = np.exp(np.log(length + 1) / n).astype(np.float32)
    masks = tf.pow(base, tf.range(1, n + 1, dtype=tf.float32)) - 1 > tf.abs(distances)
    masks = tf.cast(masks, tf.float32)
    return tf.concat([masks, tf.sign(distances) * masks], -1)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Return the tanh approximation."""
    return tf.keras.activations.gelu(x, approximate=True)


def build(n_up: int, n_outputs: int, crop: int) -> tf.keras.Model:
    """Build the network; the kinds of layers come in the order of the published models."""
    sequence = tf.keras.Input((WINDOW, LETTERS + N_SPECIES), name="sequence")
    x = layers.Conv1D(STEM, 11, padding="same")(sequence)
    skips = []
    for width in WIDTHS:
        x = gelu(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Conv1D(width, 5, padding="same")(x)
        y = gelu(layers.BatchNormalization(momentum=0.9)(x))
        y = layers.Dropout(0.05)(layers.Conv1D(width, 1, padding="same")(y))
        x = layers.Add()([x, Scale()(y)])
        skips.append(x)
        x = layers.MaxPool1D(2, padding="same")(x)
    width = WIDTHS[-1]
    y = MultiheadAttention()(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dropout(0.2)(y)])
    y = layers.Dense(2 * width)(layers.LayerNormalization()(x))
    y = layers.Dense(width)(layers.ReLU()(layers.Dropout(0.2)(y)))
    x = layers.Add()([x, layers.Dropout(0.2)(y)])
    for skip in skips[::-1][:n_up]:
        x = gelu(layers.BatchNormalization(momentum=0.9)(x))
        y = gelu(layers.BatchNormalization(momentum=0.9)(skip))
        x = layers.UpSampling1D(2)(layers.Dense(width)(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
        x = layers.SeparableConv1D(width, 3, padding="same")(x)
    if crop:
        x = layers.Cropping1D(crop)(x)
    activation = "softmax" if n_up == len(WIDTHS) else "softplus"
    return tf.keras.Model(sequence, layers.Dense(n_outputs, activation=activation)(gelu(x)))


def randomise(model: tf.keras.Model, rng: np.random.Generator) -> None:
    """Give every weight, moving statistics included, a value that tells."""
    weights = []
    for weight in model.weights:
        name, shape = weight.name.split("/")[-1].removesuffix(":0"), tuple(weight.shape)
        if name == "moving_variance":
            values = rng.uniform(0.5, 2, shape)
        elif name.endswith("kernel"):
            fan_in = shape[0] if name == "depthwise_kernel" else np.prod(shape[:-1])
            values = rng.normal(0, fan_in**-0.5, shape)
        else:
            values = rng.normal(float(name == "gamma"), SPREADS.get(name, 0.2), shape)
        weights.append(values.astype(np.float32))
    model.set_weights(weights)


def write(name: str, model: tf.keras.Model, rng: np.random.Generator) -> None:
    """Write a model, an input with N (4) and hidden bases (5), and its predictions."""
    tokens = rng.integers(0, 6, (2, WINDOW)).astype(np.uint8)
    x = np.zeros((2, WINDOW, LETTERS + N_SPECIES), np.float32)
    for letter, channel in {0: 0, 1: 1, 2: 2, 3: 3, 5: 4}.items():
        x[tokens == letter, channel] = 1
    x[..., LETTERS + SPECIES] = 1
    predicted = model.predict(x, verbose=0)
    np.savez(GOLDENS / f"{name}.npz", tokens=tokens, species=SPECIES, predicted=predicted)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.h5"
        model.save(path, include_optimizer=False)
        packed = gzip.compress(path.read_bytes(), mtime=0)
    (GOLDENS / f"{name}.h5.gz").write_bytes(packed)
    print(f"{name}: {model.count_params()} numbers, {len(packed)} bytes")


def main() -> None:
    """Write both models."""
    GOLDENS.mkdir(exist_ok=True)
    rng = np.random.default_rng(20261121)
    sizes = {"lm": (2, 4, 0), "tracks": (1, 5, 3)}
    for name, (n_up, n_outputs, crop) in sizes.items():
        model = build(n_up, n_outputs, crop)
        randomise(model, rng)
        write(name, model, rng)


if __name__ == "__main__":
    main()
