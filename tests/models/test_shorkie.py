import pytest
import torch
import torch.nn.functional as F

from cisgram.core.checks import ConfigError
from cisgram.genome.alphabet import N
from cisgram.models.shorkie import (
    ShorkieConfig,
    ShorkieLM,
    Stem,
)
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig
from models.tiny import CONFIG, random_windows, tiny_lm


def test_published_sizes():
    with torch.device("meta"):
        assert ShorkieLM(ShorkieConfig()).n_parameters == 13_665_828
        assert ShorkieTracks(ShorkieTracksConfig()).n_parameters == 14_253_567


def test_parts_have_the_published_sizes():
    with torch.device("meta"):
        trunk = ShorkieTracks(ShorkieTracksConfig()).trunk

    def count(*modules: torch.nn.Module) -> int:
        return sum(value.numel() for module in modules for value in module.parameters())

    assert count(trunk.stem, trunk.encoder) == 2_226_528
    assert count(trunk.transformer) == 8_744_960
    assert count(trunk.decoder) == 1_264_512


@pytest.mark.parametrize("length", [6, 10, 11, 12, 40])
def test_species_are_channels_of_ones(length):
    torch.manual_seed(0)
    stem = Stem(8, 3).double()
    tokens = torch.randint(0, 6, (4, length), dtype=torch.uint8)
    species = torch.tensor([0, 2, 1, 1])
    letters = stem.letters.double()[tokens.int()]
    planes = F.one_hot(species, 3)[:, None].expand(-1, length, -1)
    image = torch.cat([letters, planes], dim=-1).transpose(1, 2)
    expected = F.conv1d(image, stem.weight, stem.bias, padding=5).transpose(1, 2)
    torch.testing.assert_close(stem(tokens, species), expected)


def test_a_masked_base_is_neither_seen_nor_unknown():
    model, tokens = tiny_lm(), random_windows(1)
    mask = torch.zeros_like(tokens, dtype=torch.bool)
    mask[0, 10] = True
    others = tokens.clone()
    others[0, 10] = (tokens[0, 10] + 1) % 4
    torch.testing.assert_close(model(tokens, mask), model(others, mask))
    unknown = tokens.masked_fill(mask, N)
    assert (model(tokens, mask) - model(unknown)).abs().max() > 1e-4


def test_species_change_the_answer_and_none_is_the_first():
    model, tokens = tiny_lm(), random_windows(2)
    first = model(tokens, None, torch.tensor([0, 0]))
    torch.testing.assert_close(model(tokens), first)
    second = model(tokens, None, torch.tensor([0, 2]))
    torch.testing.assert_close(second[0], first[0])
    assert (second[1] - first[1]).abs().max() > 1e-4


def test_windows_of_a_batch_do_not_mix():
    model, tokens = tiny_lm(), random_windows(3)
    together = model(tokens)
    torch.testing.assert_close(together[1:2], model(tokens[1:2]), atol=1e-5, rtol=1e-5)


def test_embedding_says_which_bases_it_stands_for():
    embedded = tiny_lm().embed(random_windows(2))
    assert embedded.values.shape == (2, 8, 12)
    assert embedded.spans[1].tolist() == [[start, start + 4] for start in range(0, 32, 4)]


def test_other_lengths_are_multiples_of_the_pooling():
    model = tiny_lm()
    assert model(random_windows(1, 40)).shape == (1, 40, 4)
    with pytest.raises(ConfigError, match=r"a multiple of 4 bases; got 30\."):
        model(random_windows(1, 30))


def test_tracks_are_cropped_and_not_negative():
    config = ShorkieTracksConfig(
        n_species=0,
        window=64,
        stem_channels=8,
        channels=(8, 8, 12),
        decoder_channels=(8,),
        n_layers=1,
        n_heads=2,
        key_size=4,
        crop=2,
        n_tracks=5,
    )
    torch.manual_seed(0)
    model = ShorkieTracks(config).eval()
    assert model.resolution == 4
    tracks = model(random_windows(2, 64))
    assert tracks.shape == (2, 12, 5)
    assert (tracks >= 0).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"window": 30}, "window must be a multiple of 4; got 30"),
        ({"n_heads": 5}, r"a multiple of n_heads \(5\); got 12"),
        ({"channels": ()}, "at least one residual block; got none"),
        ({"decoder_channels": (8, 8, 8)}, "must have 1 to 2 entries"),
        ({"n_species": -1}, "n_species must be at least 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ShorkieConfig(**(vars(CONFIG) | changes))


def test_a_language_model_ends_at_single_bases():
    with pytest.raises(ConfigError, match="needs a decoder block for each of the 2 channels"):
        ShorkieLM(ShorkieConfig(**(vars(CONFIG) | {"decoder_channels": (8,)})))


def test_crop_must_leave_bins():
    with pytest.raises(ConfigError, match="crop must leave bins"):
        ShorkieTracks(ShorkieTracksConfig(crop=512, n_tracks=1))
