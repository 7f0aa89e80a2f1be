import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import erf

from cisgram.core.checks import ConfigError
from cisgram.core.device import shapes_only
from cisgram.data.outputs import Outputs
from cisgram.genome.alphabet import N
from cisgram.models.base import MASK, mask_bases
from cisgram.models.dilated import Dilated, DilatedConfig
from models.tiny import random_windows

CONFIG = DilatedConfig(
    n_species=2, window=40, channels=8, n_layers=3, dilations=(1, 3), feed_channels=16
)
CAUSAL = DilatedConfig(
    window=40, channels=8, n_layers=3, dilations=(1, 3), feed_channels=16, causal=True
)


def tiny(config: DilatedConfig = CONFIG) -> Dilated:
    torch.manual_seed(0)
    return Dilated(config, Outputs.of_bases()).eval()


def sees(model: Dilated, length: int) -> np.ndarray:
    """Say by gradients which base (column) the logits of which base (row) depend on."""
    weights = F.one_hot(random_windows(1, length).long(), 4).float().requires_grad_()
    logits = model(weights)[0].pow(2).sum(-1)
    grads = [torch.autograd.grad(value, weights, retain_graph=True)[0][0] for value in logits]
    return torch.stack([grad.abs().sum(-1) > 0 for grad in grads]).numpy()


def test_published_sizes():
    with shapes_only():
        model = Dilated(DilatedConfig(), Outputs.of_bases())
    # The authors' network has 93,091,328: three more outputs, and letters that are not learned.
    assert model.n_parameters == 93_091_328 - 3 * 512 + 6 * 512
    assert f"{model.n_parameters:,} parameters by default" in (Dilated.__doc__ or "")
    # 8 bases of 9 taps one apart, then 24 convolutions of 5 taps, three cycles up to 128 apart.
    assert 2 * model.halo == 8 + 4 * (3 * 255 - 1 + 1)


def test_masked_predictions_depend_on_exactly_the_halo():
    model = tiny()
    assert 2 * model.halo == 8 + 4 * 3 + 4
    reach, length = model.halo, 60
    distance = np.arange(length) - np.arange(length)[:, None]
    np.testing.assert_array_equal(sees(model, length), abs(distance) <= reach)


def test_causal_predictions_depend_on_the_bases_before_alone():
    model, length = tiny(CAUSAL), 60
    assert model.halo == 25
    seen = sees(model, length)
    distance = np.arange(length) - np.arange(length)[:, None]
    np.testing.assert_array_equal(seen, (distance < 0) & (distance >= -model.halo))
    tokens = random_windows(1, length)
    changed = tokens.clone()
    changed[0, 40] = (tokens[0, 40] + 1) % 4
    differ = (model(tokens) != model(changed)).any(-1)[0]
    assert differ.nonzero()[:, 0].tolist() == list(range(41, 60))
    far = tokens.clone()
    far[0, 30] = (tokens[0, 30] + 1) % 4
    same = (model(tokens) == model(far)).all(-1)[0]
    assert (~same).nonzero()[:, 0].tolist() == list(range(31, 56))


def test_a_causal_hidden_base_is_what_the_next_is_predicted_from():
    model, tokens = tiny(CAUSAL), random_windows(2, 30)
    values = model.embed(tokens).values
    torch.testing.assert_close(model.head(values[:, :-1]), model(tokens)[:, 1:])


@pytest.mark.parametrize("config", [CONFIG, CAUSAL])
@pytest.mark.parametrize("length", [1, 7, 40, 101])
def test_windows_of_any_length(config, length):
    model, tokens = tiny(config), random_windows(3, length)
    assert model(tokens).shape == (3, length, 4)
    values, spans = model.embed(tokens)
    assert values.shape == (3, length, 8)
    assert spans[2].tolist() == [[i, i + 1] for i in range(length)]


def norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return scale * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def slow_logits(model: Dilated, letters: list[int], species: int) -> np.ndarray:
    """One window, base by base and tap by tap, in float64."""
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    x = weights["letters.weight"][letters] + weights["species.weight"][species]
    for number, (width, dilation) in enumerate(model.config.shapes):
        own = {
            name.removeprefix(f"blocks.{number}."): value
            for name, value in weights.items()
            if name.startswith(f"blocks.{number}.")
        }
        y, mixed = norm(x, own["conv_norm.weight"]), np.zeros_like(x)
        for base in range(len(x)):
            for tap in range(width):
                seen = base + (tap - width // 2) * dilation
                if 0 <= seen < len(x):
                    mixed[base] += own["conv.weight"][:, :, tap] @ y[seen]
        x = x + gelu(mixed) @ own["mix.weight"].T
        y = gelu(norm(x, own["feed_norm.weight"]) @ own["feed1.weight"].T)
        x = x + y @ own["feed2.weight"].T
    x = gelu(norm(x, weights["norm.weight"]) @ weights["head.0.weight"].T)
    return norm(x, weights["head.2.weight"]) @ weights["head.3.weight"].T


def test_logits_are_those_of_the_network_written_out():
    model, tokens = tiny(), random_windows(2, 30)
    tokens[0, 4] = N
    mask = torch.rand(2, 30, generator=torch.Generator().manual_seed(1)) < 0.2
    got = model(mask_bases(tokens, mask), torch.tensor([0, 1])).detach().numpy()
    for row in range(2):
        letters = [MASK if m else t for t, m in zip(tokens[row].tolist(), mask[row], strict=True)]
        np.testing.assert_allclose(got[row], slow_logits(model, letters, row), atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_a_planted_pattern_is_learnt(causal):
    """Windows repeat five random bases: a base is known from those five before or after."""
    torch.manual_seed(0)
    config = DilatedConfig(channels=32, n_layers=4, feed_channels=64, causal=causal)
    model = Dilated(config, Outputs.of_bases())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(50):
        tokens = torch.randint(0, 4, (16, 5), dtype=torch.uint8).repeat(1, 10)
        if causal:
            asked, seen = torch.arange(50).expand(16, -1) >= 5, tokens
        else:
            asked = torch.rand(16, 50) < 0.15
            seen = mask_bases(tokens, asked)
        loss = F.cross_entropy(model(seen)[asked], tokens[asked].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.4


def test_rows_of_tracks_are_means_of_their_bases():
    coarse = DilatedConfig(**{**vars(CONFIG), "resolution": 4, "crop": 2})
    outputs = Outputs(row="bin", names=("a", "b"), resolution=4, margin=8)
    torch.manual_seed(0)
    model, tokens = Dilated(coarse, outputs).eval(), random_windows(2, 40)
    bases = model.embed(tokens).values
    means = bases.unflatten(1, (10, 4)).mean(dim=2)
    torch.testing.assert_close(model(tokens), model.head(means)[:, 2:-2])


def test_a_causal_model_is_embedded_after_its_last_layer_alone():
    model, tokens = tiny(CAUSAL), random_windows(2, 30)
    with pytest.raises(ConfigError, match="a causal dilated is embedded by norm alone"):
        model.embed(tokens, layer="blocks.0")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 4}, "width must be odd; got 4"),
        ({"first_width": 0}, "first_width must be at least 1; got 0"),
        ({"dilations": ()}, "dilations must name at least one distance"),
        ({"dilations": (1, 0)}, "dilations must be at least 1; got 0"),
        ({"n_species": -1}, "n_species must be at least 0; got -1"),
        ({"dropout": 1.5}, "dropout must be between 0 and 1; got 1.5"),
        ({"causal": True, "resolution": 4}, "a causal model has a row for each base; got a"),
    ],
)
def test_what_cannot_be_used_is_named(fields, message):
    with pytest.raises(ConfigError, match=message):
        DilatedConfig(**fields)
