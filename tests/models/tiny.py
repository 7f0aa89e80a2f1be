"""Small models and windows for tests."""

from typing import Any

import torch

from cisgram.models.cnn import DilatedCNN, DilatedCNNConfig
from cisgram.models.dilated import DilatedConfig, DilatedLM
from cisgram.models.enformer import Enformer, EnformerConfig
from cisgram.models.shorkie import ShorkieConfig, ShorkieLM
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig

CONFIG = ShorkieConfig(
    n_species=3,
    window=32,
    stem_channels=8,
    channels=(8, 12),
    decoder_channels=(12, 8),
    n_layers=1,
    n_heads=2,
    key_size=4,
    conv_dropout=0.0,
    dropout=0.0,
)


def tiny_lm(seed: int = 0, config: ShorkieConfig = CONFIG) -> ShorkieLM:
    """A language model whose zero-initialised parts have weights too, ready to predict."""
    torch.manual_seed(seed)
    model = ShorkieLM(config)
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.3)
    return model.eval()


def tiny_tracks() -> ShorkieTracks:
    config = ShorkieTracksConfig(
        n_species=2,
        window=64,
        stem_channels=8,
        channels=(8, 12),
        decoder_channels=(8,),
        n_layers=1,
        n_heads=2,
        key_size=4,
        crop=3,
        n_tracks=5,
    )
    return awake(ShorkieTracks(config))


def tiny_enformer() -> Enformer:
    config = EnformerConfig(
        window=64,
        channels=8,
        n_pools=2,
        channel_multiple=4,
        n_layers=1,
        n_heads=2,
        key_size=4,
        n_features=12,
        crop=1,
        n_tracks=3,
    )
    return awake(Enformer(config))


def tiny_dilated(*, causal: bool) -> DilatedLM:
    config = DilatedConfig(
        window=32,
        channels=8,
        n_layers=4,
        first_width=5,
        width=3,
        dilations=(1, 2),
        feed_channels=8,
        causal=causal,
    )
    return awake(DilatedLM(config))


def tiny_cnn(*, pooled: bool) -> DilatedCNN:
    config = DilatedCNNConfig(
        window=64, channels=6, first_width=5, dilations=(2, 4), n_tracks=3, pooled=pooled
    )
    torch.manual_seed(0)
    return awake(DilatedCNN(config))


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
