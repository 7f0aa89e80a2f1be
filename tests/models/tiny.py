"""Small models and windows for tests."""

import torch

from cisgram.models.shorkie import ShorkieConfig, ShorkieLM

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


def random_windows(n: int = 2, length: int = 32, seed: int = 0) -> torch.Tensor:
    """Windows of known bases."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 4, (n, length), dtype=torch.uint8, generator=generator)
