"""A gated CNN: all that an architecture of your own needs, in one file.

    cisgram train examples/gated-cnn.toml --out runs/gated-cnn

`local` reads DNA piece by piece and `mix` makes the output. So every verb works, and DNA that
windows share is read once.

>>> config = GatedCNNConfig(window=32, channels=8, n_layers=2)
>>> model = GatedCNN(config, Outputs.of_bases())
>>> tokens = torch.tensor([[0, 1, 2, 3, MASK, 4, 0, 0]], dtype=torch.uint8)
>>> with torch.no_grad():
...     ours, plain = model(tokens), written_out(model.state_dict(), config, tokens)
>>> torch.allclose(ours, plain, atol=1e-6)
True
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cisgram.data.outputs import Geometry, Outputs
from cisgram.models.base import MASK, Bases, SplitModel, rows_of
from cisgram.models.registry import architecture


@dataclass(frozen=True, kw_only=True)
class GatedCNNConfig:
    """Sizes of the network."""

    window: int = 512
    """Bases the model is made for; it takes any number."""
    channels: int = 64
    """Of every hidden base."""
    n_layers: int = 4
    """Gated convolutions, three bases wide."""

    @property
    def geometry(self) -> Geometry:
        """Window; every base has a row."""
        return Geometry(window=self.window)


@architecture("gated-cnn", GatedCNNConfig, tiny={"window": 32, "channels": 8, "n_layers": 2})
class GatedCNN(SplitModel):
    """Residual convolutions with gates (Dauphin et al. 2017), for bases or for tracks."""

    reads_masks = True
    stages = ("layers.*",)

    def __init__(self, config: GatedCNNConfig, outputs: Outputs) -> None:
        super().__init__(config, outputs)
        self.halo = config.n_layers
        self.letters = nn.Embedding(MASK + 1, config.channels)
        self.layers = nn.ModuleList(
            nn.Conv1d(config.channels, 2 * config.channels, 3, padding=1)
            for _ in range(config.n_layers)
        )
        self.head = nn.Linear(config.channels, outputs.n_columns)

    def local(self, tokens: Bases, species: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the hidden bases, of pieces of windows too."""
        x = rows_of(tokens, self.letters.weight).transpose(1, 2)
        for layer in self.layers:
            x = x + F.glu(layer(x), dim=1)
        return (x.transpose(1, 2),)

    def mix(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return the scores of every column."""
        return self.head(features[0])


def written_out(weights: dict[str, Tensor], config: GatedCNNConfig, tokens: Tensor) -> Tensor:
    """Compute the same base by base, to hold the model against."""
    x = weights["letters.weight"][tokens.long()]
    for number in range(config.n_layers):
        kernel, bias = (weights[f"layers.{number}.{name}"] for name in ("weight", "bias"))
        around = F.pad(x, (0, 0, 1, 1)).unfold(1, 3, 1)
        value, gate = (torch.einsum("blct,oct->blo", around, kernel) + bias).chunk(2, dim=2)
        x = x + value / (1 + torch.exp(-gate))
    return x @ weights["head.weight"].T + weights["head.bias"]
