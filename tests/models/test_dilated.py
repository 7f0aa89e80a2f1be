import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import erf

from cisgram.core.checks import ConfigError
from cisgram.core.config import from_plain, to_plain
from cisgram.genome.alphabet import N
from cisgram.models.base import MASK
from cisgram.models.checkpoint import load_model, save_model
from cisgram.models.dilated import DilatedConfig, DilatedLM
from models.tiny import random_windows

CONFIG = DilatedConfig(
    n_species=2, window=40, channels=8, n_layers=3, dilations=(1, 3), feed_channels=16
)
CAUSAL = DilatedConfig(
    window=40, channels=8, n_layers=3, dilations=(1, 3), feed_channels=16, causal=True
)


def tiny(config: DilatedConfig = CONFIG) -> DilatedLM:
    torch.manual_seed(0)
    return DilatedLM(config).eval()


def sees(model: DilatedLM, length: int) -> np.ndarray:
    """Say by gradients which base (column) the logits of which base (row) depend on."""
    weights = F.one_hot(random_windows(1, length).long(), 4).float().requires_grad_()
    logits = model.logits(weights)[0].pow(2).sum(-1)
    grads = [torch.autograd.grad(value, weights, retain_graph=True)[0][0] for value in logits]
    return torch.stack([grad.abs().sum(-1) > 0 for grad in grads]).numpy()


def test_published_sizes():
    with torch.device("meta"):
        model = DilatedLM(DilatedConfig())
    # The authors' network has 93,091,328: three more outputs, and letters that are not learned.
    assert model.n_parameters == 93_091_328 - 3 * 512 + 6 * 512
    # 8 bases of 9 taps one apart, then 24 convolutions of 5 taps, three cycles up to 128 apart.
    assert model.receptive_field == 1 + 8 + 4 * (3 * 255 - 1 + 1)


def test_masked_predictions_depend_on_exactly_the_receptive_field():
    model = tiny()
    assert model.receptive_field == 1 + 8 + 4 * 3 + 4
    reach, length = model.receptive_field // 2, 60
    distance = np.arange(length) - np.arange(length)[:, None]
    np.testing.assert_array_equal(sees(model, length), abs(distance) <= reach)


def test_causal_predictions_depend_on_the_bases_before_alone():
    model, length = tiny(CAUSAL), 60
    assert model.receptive_field == 25
    seen = sees(model, length)
    distance = np.arange(length) - np.arange(length)[:, None]
    np.testing.assert_array_equal(seen, (distance < 0) & (distance >= -model.receptive_field))
    tokens = random_windows(1, length)
    changed = tokens.clone()
    changed[0, 40] = (tokens[0, 40] + 1) % 4
    differ = (model.logits(tokens) != model.logits(changed)).any(-1)[0]
    assert differ.nonzero()[:, 0].tolist() == list(range(41, 60))
    far = tokens.clone()
    far[0, 30] = (tokens[0, 30] + 1) % 4
    same = (model.logits(tokens) == model.logits(far)).all(-1)[0]
    assert (~same).nonzero()[:, 0].tolist() == list(range(31, 56))


def test_a_causal_hidden_base_is_what_the_next_is_predicted_from():
    model, tokens = tiny(CAUSAL), random_windows(2, 30)
    values = model.embed(tokens).values
    torch.testing.assert_close(model.head(values[:, :-1]), model.logits(tokens)[:, 1:])


def test_a_masked_base_is_neither_seen_nor_unknown():
    model, tokens = tiny(), random_windows(1)
    mask = torch.zeros_like(tokens, dtype=torch.bool)
    mask[0, 10] = True
    others = tokens.masked_fill(mask, 0), tokens.masked_fill(mask, 3)
    assert torch.equal(model(others[0], mask), model(others[1], mask))
    assert (model(tokens, mask) - model(tokens.masked_fill(mask, N))).abs().max() > 1e-4


def test_species_change_the_answer_and_none_is_the_first():
    model, tokens = tiny(), random_windows(2)
    first = model(tokens, None, torch.tensor([0, 0]))
    assert torch.equal(model(tokens), first)
    assert (model(tokens, None, torch.tensor([1, 1])) - first).abs().max() > 1e-4


@pytest.mark.parametrize("config", [CONFIG, CAUSAL])
@pytest.mark.parametrize("length", [1, 7, 40, 101])
def test_windows_of_any_length(config, length):
    model, tokens = tiny(config), random_windows(3, length)
    assert model.logits(tokens).shape == (3, length, 4)
    values, spans = model.embed(tokens)
    assert values.shape == (3, length, 8)
    assert spans[2].tolist() == [[i, i + 1] for i in range(length)]


def test_every_weight_learns():
    model = tiny()
    tokens, mask = random_windows(4), torch.rand(4, 32) < 0.3
    tokens[0, 3] = N
    F.cross_entropy(
        model(tokens, mask, torch.tensor([0, 1, 0, 1]))[mask], tokens[mask].long().clamp(max=3)
    ).backward()
    assert all(value.grad is not None and value.grad.any() for value in model.parameters())


def norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return scale * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def slow_logits(model: DilatedLM, letters: list[int], species: int) -> np.ndarray:
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
    got = model(tokens, mask, torch.tensor([0, 1])).detach().numpy()
    for row in range(2):
        letters = [MASK if m else t for t, m in zip(tokens[row].tolist(), mask[row], strict=True)]
        np.testing.assert_allclose(got[row], slow_logits(model, letters, row), atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_a_planted_pattern_is_learnt(causal):
    """Windows repeat five random bases: a base is known from those five before or after."""
    torch.manual_seed(0)
    config = DilatedConfig(channels=32, n_layers=4, feed_channels=64, causal=causal)
    model = DilatedLM(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(50):
        tokens = torch.randint(0, 4, (16, 5), dtype=torch.uint8).repeat(1, 10)
        if causal:
            asked, mask = torch.arange(50).expand(16, -1) >= 5, None
        else:
            asked = mask = torch.rand(16, 50) < 0.15
        loss = F.cross_entropy(model(tokens, mask)[asked], tokens[asked].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.4


def test_a_model_comes_back_as_it_was(tmp_path):
    for name, config in (("masked", CONFIG), ("causal", CAUSAL)):
        model, tokens = tiny(config), random_windows()
        save_model(tmp_path / name, model, card={})
        again, _ = load_model(tmp_path / name)
        assert again.config == config
        assert torch.equal(again(tokens), model(tokens))
    assert from_plain(DilatedConfig, to_plain(CONFIG), "model") == CONFIG


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 4}, "width must be odd; got 4"),
        ({"first_width": 0}, "first_width must be at least 1; got 0"),
        ({"dilations": ()}, "dilations must name at least one distance"),
        ({"dilations": (1, 0)}, "dilations must be at least 1; got 0"),
        ({"n_species": -1}, "n_species must be at least 0; got -1"),
        ({"dropout": 1.5}, "dropout must be between 0 and 1; got 1.5"),
    ],
)
def test_what_cannot_be_used_is_named(fields, message):
    with pytest.raises(ConfigError, match=message):
        DilatedConfig(**fields)
