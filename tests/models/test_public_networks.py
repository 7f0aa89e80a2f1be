"""Networks as others publish them, wrapped and asked with every verb.

`make test` installs them into `.networks`, beside the environment and without its pins.
"""

import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cisgram
from models.tiny import random_windows

pytestmark = pytest.mark.whole

PLACE = Path(__file__).parents[2] / ".networks"
LENGTH = 128


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the networks, and nothing of theirs in place of ours."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(PLACE)])


def package(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return import_module(name)
        except ImportError:
            pytest.skip(f"needs {name}; `make networks` installs it")


def one_hot(tokens: torch.Tensor) -> torch.Tensor:
    return F.one_hot(tokens.long(), 4).float()


def letters(tokens: torch.Tensor) -> str:
    return "".join("ACGT"[base] for base in tokens)


def flags(network: torch.nn.Module) -> list[bool]:
    return [module.training for module in network.modules()]


@pytest.fixture
def bpnet() -> Any:
    bpnetlite = package("bpnetlite")
    torch.manual_seed(0)
    sizes = {"n_filters": 6, "n_layers": 2, "n_outputs": 2, "n_control_tracks": 0}
    network = bpnetlite.BPNet(**sizes, trimming=20, verbose=False)
    network.rrelus[0].eval()
    return network


@pytest.fixture
def enformer() -> Any:
    published = package("enformer_pytorch")
    torch.manual_seed(0)
    config = published.EnformerConfig(
        dim=48,
        depth=1,
        heads=2,
        attn_dim_key=8,
        output_heads={"human": 5, "mouse": 3},
        target_length=8,
        num_downsamples=3,
        dim_divisible_by=4,
        use_tf_gamma=False,
    )
    network = published.Enformer(config)
    network.transformer.eval()
    return network


def check_verbs(model: Any, tokens: torch.Tensor, expected: Any, readout: str | None) -> None:
    """Hold every verb against `expected`, the network asked directly for (batch, outputs)."""
    dna = letters(tokens)
    x = one_hot(tokens[None]).requires_grad_()
    output = expected(x)
    gradient = torch.autograd.grad(output[0, 0], x)[0][0]
    table = model.predict(dna, readout).table
    assert table.row(0)[5:] == pytest.approx(output[0].tolist(), rel=1e-4, abs=1e-5)
    mutants = tokens.repeat(4, 1)
    mutants[:, 60] = torch.arange(4)
    with torch.no_grad():
        effects = expected(one_hot(mutants)) - output
    found = model.mutate(dna, readout).all_effects[60]
    np.testing.assert_allclose(found, effects, rtol=1e-3, atol=1e-5)
    centred = gradient - gradient.mean(dim=1, keepdim=True)
    np.testing.assert_allclose(
        model.attribute(dna, readout).hypothetical, centred, rtol=1e-3, atol=1e-5
    )
    for layer in model.model.layer_names:
        values, spans = model.model.embed(tokens[None], layer=layer)
        assert values.shape[1] <= LENGTH, layer
        assert (spans >= 0).all()
        assert (spans <= LENGTH).all()


def test_bpnets_profile_and_counts(bpnet: Any) -> None:
    before, tokens = flags(bpnet), random_windows(1, LENGTH)[0]
    evaluated = {
        select: (lambda x, select=select: bpnet.eval()(x.transpose(1, 2))[select])
        for select in (0, 1)
    }
    profile = cisgram.wrap(bpnet, outputs=["plus", "minus"], window=LENGTH, select=0)
    counts = cisgram.wrap(bpnet, outputs=["counts"], window=LENGTH, select=1)
    assert (profile.outputs.row, profile.outputs.margin) == ("base", 20)
    assert (counts.outputs.row, profile.model.embedding_layer) == ("window", "module.rrelus.1")
    assert profile.embed(letters(tokens)).values.shape == (1, 6)
    profile.predict(letters(tokens))
    assert flags(bpnet) == before
    check_verbs(profile, tokens, lambda x: evaluated[0](x).mean(dim=2), "mean")
    check_verbs(counts, tokens, evaluated[1], None)


def test_enformers_bins(enformer: Any) -> None:
    before, tokens = flags(enformer), random_windows(1, LENGTH)[0]
    names = [f"track{number}" for number in range(5)]
    outputs = cisgram.Outputs(row="bin", names=names, resolution=8, margin=32)
    model = cisgram.wrap(
        enformer, outputs=outputs, window=LENGTH, layout="channels-last", select="human"
    )
    assert model.model.embedding_layer == "module.final_pointwise.4"
    # Its stem has channels first, its attention has them last.
    shapes = {
        name: model.model.embed(tokens[None], layer=f"module.{name}").values.shape[1:]
        for name in ("stem.1.fn.2", "stem", "conv_tower", "transformer.0", "final_pointwise")
    }
    assert shapes == {
        "stem.1.fn.2": (128, 24),
        "stem": (64, 24),
        "conv_tower": (16, 48),
        "transformer.0": (16, 48),
        "final_pointwise": (8, 96),
    }
    assert flags(enformer) == before
    check_verbs(model, tokens, lambda x: enformer.eval()(x)["human"].mean(dim=1), "mean")
