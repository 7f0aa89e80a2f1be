"""Small models and windows for tests: every architecture, with every output that it can have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from cisgram.core.checks import ConfigError
from cisgram.core.device import shapes_only
from cisgram.core.plugins import import_plugin
from cisgram.data.outputs import Geometry, Outputs, Scale
from cisgram.models.registry import architectures, build_model, model_config

for _path in sorted((Path(__file__).parents[2] / "examples").glob("*.py")):
    import_plugin(_path)

CONFIG: Any = model_config("shorkie", architectures()["shorkie"].tiny, "the test")
"""Of the tiny Shorkie."""
FURTHER_SIZES: dict[str, tuple[dict[str, Any], ...]] = {
    "bert": (
        {"tokenizer": {"kind": "base"}, "n_species": 2},
        {"tokenizer": {"kind": "kmer", "k": 3, "stride": 1}},
    ),
    "dilated": ({"causal": True, "n_species": 2}, {"window": 64, "resolution": 4, "crop": 2}),
    "dilated-cnn": ({"resolution": 4, "crop": 2},),
    "shorkie": ({"window": 64, "decoder_channels": (8,), "crop": 3, "n_species": 0},),
}
"""Beside the tiny ones: other ways to go through the code of an architecture."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network to be tested."""

    kind: str
    outputs: Outputs
    sizes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        meaning = "bases" if self.outputs.are_bases else f"{self.outputs.row} outputs"
        sizes = " ".join(f"{name}={value}" for name, value in self.sizes.items())
        return " ".join((self.kind, meaning, sizes)).strip()

    def build(self, seed: int = 0, **changes: Any) -> Any:
        """Build it, every weight awake."""
        return tiny(self.kind, self.outputs, seed=seed, **{**self.sizes, **changes})


def cases() -> Iterator[Case]:
    """Every registered architecture, with every kind of output that it can have."""
    for kind in architectures():
        for sizes in ({}, *FURTHER_SIZES.get(kind, ())):
            for outputs in meanings(kind, sizes):
                yield Case(kind=kind, outputs=outputs, sizes=sizes)


def meanings(kind: str, sizes: Mapping[str, Any] | None = None) -> list[Outputs]:
    """Every kind of output that the tiny model of an architecture can have."""
    config: Any = model_config(kind, {**architectures()[kind].tiny, **(sizes or {})}, "the test")
    signal = tracks(config.geometry, gene_targets=("worth",))
    scale = Scale(power=0.5, track_means=(2.0, 2.0, 0.5), gene_moments=((1.0, 3.0),))
    wanted = (
        Outputs.of_bases(),
        replace(signal, scale=scale),
        Outputs(row="window", names=("a", "b"), both_strands=True),
    )
    found = [outputs for outputs in wanted if _suits(kind, config, outputs)]
    return found or [config.default_outputs]


def tracks(geometry: Geometry, *, n: int = 3, gene_targets: tuple[str, ...] = ()) -> Outputs:
    """`n` tracks, the first two of which are the strands of one signal."""
    return Outputs(
        row="base" if geometry.resolution == 1 else "bin",
        names=("word+", "word-", *(f"track{number}" for number in range(2, n)))[:n],
        gene_targets=gene_targets,
        resolution=geometry.resolution,
        margin=geometry.margin,
        activation="softplus",
        both_strands=True,
    )


def tiny(kind: str, outputs: Outputs | None = None, *, seed: int = 0, **changes: Any) -> Any:
    """Build the tiny model of an architecture, every weight awake."""
    config = model_config(kind, {**architectures()[kind].tiny, **changes}, "the test")
    torch.manual_seed(seed)
    return awake(build_model(kind, config, outputs or meanings(kind, changes)[0]))


def tiny_lm(seed: int = 0, **changes: Any) -> Any:
    """A language model whose zero-initialised parts have weights too, ready to predict."""
    config = model_config("shorkie", {**architectures()["shorkie"].tiny, **changes}, "the test")
    torch.manual_seed(seed)
    model = build_model("shorkie", config, Outputs.of_bases())
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.3)
    return model.eval()


def tiny_tracks() -> Any:
    geometry = Geometry(window=64, resolution=2, margin=6)
    sizes = {"n_species": 2, "window": 64, "decoder_channels": (8,), "crop": 3}
    return tiny("shorkie", tracks(geometry, n=5), seed=1, **sizes)


def tiny_enformer() -> Any:
    return tiny("enformer", tracks(Geometry(window=64, resolution=4, margin=4)), seed=1)


def tiny_dilated(*, causal: bool) -> Any:
    return tiny("dilated", Outputs.of_bases(), seed=1, causal=causal)


def tiny_cnn(*, pooled: bool) -> Any:
    along = tracks(Geometry(window=64))
    outputs = Outputs(row="window", names=("a", "b", "c")) if pooled else along
    return tiny("dilated-cnn", outputs)


def awake(model: Any) -> Any:
    """Give weight to what starts at zero, and the norms moments of their own."""
    torch.manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.3)
        for name, moment in model.named_buffers():
            if name.endswith("_mean"):
                moment.normal_()
    return model.eval()


def random_windows(n: int = 2, length: int = 32, seed: int = 0) -> torch.Tensor:
    """Windows of known bases."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 4, (n, length), dtype=torch.uint8, generator=generator)


def _suits(kind: str, config: Any, outputs: Outputs) -> bool:
    with shapes_only():
        try:
            build_model(kind, config, outputs)
        except ConfigError:
            return False
    return True
