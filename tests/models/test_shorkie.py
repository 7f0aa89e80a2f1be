from typing import Any

import pytest
import torch
import torch.nn.functional as F

from cisgram.core.checks import ConfigError
from cisgram.core.device import shapes_only
from cisgram.data.outputs import Outputs
from cisgram.models.shorkie import Shorkie, ShorkieConfig, Stem
from models.tiny import CONFIG, random_windows, tiny_lm, tiny_tracks, tracks

OF_TRACKS = ShorkieConfig(decoder_channels=(384, 384, 384), crop=64)


def published(config: ShorkieConfig, outputs: Outputs) -> Shorkie:
    with shapes_only():
        return Shorkie(config, outputs)


def test_published_sizes() -> None:
    language = published(ShorkieConfig(), Outputs.of_bases())
    of_tracks = published(OF_TRACKS, tracks(OF_TRACKS.geometry, n=5_215))
    assert language.n_parameters == 13_665_828
    assert of_tracks.n_parameters == 14_253_567
    for model in (language, of_tracks):
        assert f"{model.n_parameters:,}" in (Shorkie.__doc__ or "")
    fewer = published(ShorkieConfig(n_species=80), Outputs.of_bases())
    assert fewer.n_parameters == 13_665_828 - 85 * 11 * 96


def test_parts_have_the_published_sizes() -> None:
    trunk = published(OF_TRACKS, tracks(OF_TRACKS.geometry)).trunk

    def count(*modules: torch.nn.Module) -> int:
        return sum(value.numel() for module in modules for value in module.parameters())

    assert count(trunk.stem, trunk.encoder) == 2_226_528
    assert count(trunk.transformer) == 8_744_960
    assert count(trunk.decoder) == 1_264_512


@pytest.mark.parametrize("length", [6, 10, 11, 12, 40])
def test_species_are_channels_of_ones(length: int) -> None:
    torch.manual_seed(0)
    stem = Stem(8, 3).double()
    tokens = torch.randint(0, 6, (4, length), dtype=torch.uint8)
    species = torch.tensor([0, 2, 1, 1])
    letters = stem.letters.double()[tokens.int()]
    planes = F.one_hot(species, 3)[:, None].expand(-1, length, -1)
    image = torch.cat([letters, planes], dim=-1).transpose(1, 2)
    expected = F.conv1d(image, stem.weight, stem.bias, padding=5).transpose(1, 2)
    torch.testing.assert_close(stem(tokens, species), expected)


def test_the_embedding_is_what_attention_makes_of_its_positions() -> None:
    model, tokens = tiny_lm(), random_windows(2)
    embedded = model.embed(tokens)
    assert embedded.values.shape == (2, 8, 12)
    assert embedded.spans[1].tolist() == [[start, start + 4] for start in range(0, 32, 4)]
    first, *_ = model.local(tokens)
    for block in model.trunk.transformer:
        first = block(first)
    torch.testing.assert_close(embedded.values, first)


def test_bins_of_tracks_lie_in_the_middle_of_the_window() -> None:
    model, tokens = tiny_tracks(), random_windows(1, 64)
    with torch.no_grad():
        assert model(tokens).shape == (1, 32 - 2 * 3, 5)
        longer = torch.cat([tokens, tokens], dim=1)
        assert model(longer).shape == (1, 64 - 2 * 3, 5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"window": 30}, "window must be a multiple of 4; got 30"),
        ({"n_heads": 5}, r"a multiple of n_heads \(5\); got 12"),
        ({"channels": ()}, "at least one residual block; got none"),
        ({"decoder_channels": (8, 8, 8)}, "must have 1 to 2 entries"),
        ({"n_species": -1}, "n_species must be at least 0"),
        ({"crop": 16}, "longer than the 32 that are cropped; got 32"),
    ],
)
def test_sizes_that_cannot_be_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ShorkieConfig(**(vars(CONFIG) | changes))


def test_a_language_model_ends_at_single_bases() -> None:
    coarse = ShorkieConfig(**(vars(CONFIG) | {"decoder_channels": (8,)}))
    sentence = r"has a row for every 2 bases .* the outputs have one for every 1 .*change \[model\]"
    with pytest.raises(ConfigError, match=sentence):
        Shorkie(coarse, Outputs.of_bases())
