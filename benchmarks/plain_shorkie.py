"""The same networks as `cisgram.models.shorkie`, written again from plain torch layers.

Channels first, torch's own convolutions, norms, pooling and up-sampling, one-hot input with a
channel a species, attention with a table of shifted logits: what one would write on reading the
paper. They serve to compare speed; that they are the same networks is checked before anything is
timed. Nothing of cisgram is needed to run them, so that they run beside other packages too.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from cisgram.models.shorkie import ShorkieConfig


def neighbourhoods(positions: int) -> Tensor:
    """Return 32 features of every distance: sixteen nested neighbourhoods, and them with sign."""
    distances = torch.arange(1 - positions, positions)
    steps = torch.arange(1, 17, dtype=torch.float64) / 16
    near = (distances.abs()[:, None] < (positions + 1) ** steps - 1).float()
    return torch.cat([near, near * distances.sign()[:, None]], dim=1)


class Residual(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.BatchNorm1d(n_in, eps=1e-3),
            nn.GELU(approximate="tanh"),
            nn.Conv1d(n_in, n_out, 5, padding=2),
        )
        self.second = nn.Sequential(
            nn.BatchNorm1d(n_out, eps=1e-3),
            nn.GELU(approximate="tanh"),
            nn.Conv1d(n_out, n_out, 1),
            nn.Dropout(0.05),
        )
        self.scale = nn.Parameter(torch.zeros(n_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        return first + self.scale * self.second(first)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, key: int, positions: int) -> None:
        super().__init__()
        self.heads, self.key_size = heads, key
        self.q = nn.Linear(width, heads * key, bias=False)
        self.k = nn.Linear(width, heads * key, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.r = nn.Linear(32, heads * key, bias=False)
        self.out = nn.Linear(width, width)
        self.u = nn.Parameter(torch.zeros(heads, 1, key))
        self.w = nn.Parameter(torch.zeros(heads, 1, key))
        self.register_buffer("features", neighbourhoods(positions), persistent=False)
        self.drop = nn.Dropout(0.05)
        self.feature_drop = nn.Dropout(0.01)

    def split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(-2, -3)

    def forward(self, x: Tensor) -> Tensor:
        q = self.split(self.q(x)) * self.key_size**-0.5
        k, v = self.split(self.k(x)), self.split(self.v(x))
        r = self.split(self.r(self.feature_drop(self.features)))
        content = (q + self.u) @ k.transpose(-1, -2)
        relative = F.pad((q + self.w) @ r.transpose(-1, -2), (1, 0))
        b, h, n, m = relative.shape
        relative = relative.reshape(b, h, m, n)[:, :, 1:].reshape(b, h, n, m - 1)[..., :n]
        weights = self.drop((content + relative).softmax(-1))
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class Transformer(nn.Module):
    def __init__(self, width: int, heads: int, key: int, positions: int) -> None:
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(width, eps=1e-3), nn.LayerNorm(width, eps=1e-3)
        self.attention = Attention(width, heads, key, positions)
        self.f1, self.f2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.n1(x)))
        return x + self.drop(self.f2(F.relu(self.drop(self.f1(self.n2(x))))))


class Up(nn.Module):
    def __init__(self, n_in: int, n_skip: int, n_out: int) -> None:
        super().__init__()
        gelu = nn.GELU(approximate="tanh")
        self.main = nn.Sequential(
            nn.BatchNorm1d(n_in, eps=1e-3),
            gelu,
            nn.Conv1d(n_in, n_out, 1),
            nn.Upsample(scale_factor=2),
        )
        self.skip = nn.Sequential(
            nn.BatchNorm1d(n_skip, eps=1e-3), gelu, nn.Conv1d(n_skip, n_out, 1)
        )
        self.depthwise = nn.Conv1d(n_out, n_out, 3, padding=1, groups=n_out, bias=False)
        self.pointwise = nn.Conv1d(n_out, n_out, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(self.main(x) + self.skip(skip)))


class PlainShorkie(nn.Module):
    """The language model; takes the whole input image, (batch, 5 + species, length)."""

    def __init__(self, config: "ShorkieConfig", n_outputs: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv1d(5 + config.n_species, config.stem_channels, 11, padding=5)
        widths = (config.stem_channels, *config.channels)
        self.down = nn.ModuleList(
            Residual(a, b) for a, b in zip(widths, config.channels, strict=False)
        )
        positions = config.window // config.pool
        self.middle = nn.ModuleList(
            Transformer(widths[-1], config.n_heads, config.key_size, positions)
            for _ in range(config.n_layers)
        )
        widths = (config.channels[-1], *config.decoder_channels)
        self.up = nn.ModuleList(
            Up(a, s, b)
            for a, s, b in zip(
                widths, reversed(config.channels), config.decoder_channels, strict=False
            )
        )
        self.head = nn.Conv1d(widths[-1], n_outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.trunk(image)
        return self.head(F.gelu(x, approximate="tanh")).transpose(1, 2)

    def trunk(self, image: Tensor) -> Tensor:
        x, skips = self.stem(image), []
        for block in self.down:
            skips.append(block(x))
            x = F.max_pool1d(skips[-1], 2)
        x = x.transpose(1, 2)
        for block in self.middle:
            x = block(x)
        x = x.transpose(1, 2)
        for block, skip in zip(self.up, reversed(skips), strict=False):
            x = block(x, skip)
        return x

    def copy_from(self, model: nn.Module) -> None:
        """Take the weights of our network, whose parameters come in another order."""
        ours = model.state_dict()
        pairs = {"stem": "trunk.stem", "head": "head"}
        for i in range(len(self.down)):
            theirs, own = f"down.{i}", f"trunk.encoder.{i}"
            pairs |= {f"{theirs}.first.0": f"{own}.norm1", f"{theirs}.first.2": f"{own}.conv1"}
            pairs |= {f"{theirs}.second.0": f"{own}.norm2", f"{theirs}.second.2": f"{own}.conv2"}
            pairs[f"{theirs}.scale"] = f"{own}.scale"
        for i in range(len(self.middle)):
            theirs, own = f"middle.{i}", f"trunk.transformer.{i}"
            pairs |= {f"{theirs}.n1": f"{own}.attention_norm", f"{theirs}.n2": f"{own}.feed_norm"}
            pairs |= {f"{theirs}.f1": f"{own}.feed1", f"{theirs}.f2": f"{own}.feed2"}
            for a, b in zip("qkvr", ("query", "key", "value", "distance"), strict=True):
                pairs[f"{theirs}.attention.{a}"] = f"{own}.attention.{b}"
            pairs[f"{theirs}.attention.out"] = f"{own}.attention.out"
            pairs[f"{theirs}.attention.u"] = f"{own}.attention.content_bias"
            pairs[f"{theirs}.attention.w"] = f"{own}.attention.position_bias"
        for i in range(len(self.up)):
            theirs, own = f"up.{i}", f"trunk.decoder.{i}"
            pairs |= {f"{theirs}.main.0": f"{own}.norm", f"{theirs}.main.2": f"{own}.dense"}
            pairs |= {
                f"{theirs}.skip.0": f"{own}.skip_norm",
                f"{theirs}.skip.2": f"{own}.skip_dense",
            }
            pairs |= {f"{theirs}.{name}": f"{own}.{name}" for name in ("depthwise", "pointwise")}
        state = {}
        for name, value in self.state_dict().items():
            place, _, leaf = name.rpartition(".")
            own = f"{pairs[place]}.{leaf}" if place in pairs else pairs[name]
            state[name] = ours[own].view_as(value)
        self.load_state_dict(state)


class PlainTracks(PlainShorkie):
    """The model of tracks; takes the whole input image, (batch, 5 + species, length)."""

    def __init__(self, config: "ShorkieConfig", n_tracks: int) -> None:
        super().__init__(config, n_tracks)
        self.crop = config.crop

    def forward(self, image: Tensor) -> Tensor:
        x = self.trunk(image)
        x = F.gelu(x[:, :, self.crop : x.shape[2] - self.crop], approximate="tanh")
        return F.softplus(self.head(x)).transpose(1, 2)


def image_of(tokens: Tensor, mask: Tensor, species: Tensor, n_species: int) -> Tensor:
    """Return the input image: bases, mask flag, species."""
    bases = F.one_hot(tokens.long().clamp(max=4), 5)[..., :4].float() * ~mask[..., None]
    planes = F.one_hot(species, n_species).float()[:, None].expand(-1, tokens.shape[1], -1)
    return torch.cat([bases, mask[..., None].float(), planes], dim=-1).transpose(1, 2)
