"""Small heads on what networks make of reporters' inserts, for benchmarks/yeast_mpra.py."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from yeast_gene_baselines import words
from yeast_mpra_sets import Host, Library
from yeast_variants import drawn

from cisgram.core.metrics import pearson
from cisgram.genome.alphabet import encode, one_hot
from cisgram.genome.reference import Reference
from cisgram.models.base import SplitModel
from cisgram.models.shorkie_tracks import ShorkieTracks
from cisgram.nn.conv import gelu
from cisgram.prediction.genes import gene_window
from cisgram.prediction.reuse import predict_sequences
from cisgram.prediction.tracks import TrackReader

STRENGTHS = np.logspace(0, 6, 13)
N_EPOCHS, BATCH, VALID = 60, 64, 10
"""Of the small network; one sequence in ten chooses its epoch."""


class Embedding(SplitModel):
    """A network of tracks up to its head: what it makes of some bins."""

    kind = "embedding"

    def __init__(self, model: ShorkieTracks, first: int, past: int) -> None:
        super().__init__()
        self.model, self.config, self.bins = model, model.config, slice(first, past)
        self.halo, self.window, self.multiple = model.halo, model.window, model.multiple

    def forward(self, tokens: Tensor, species: Tensor | None = None) -> Tensor:
        return self.mix(self.local(tokens, species))

    def local(self, tokens: Tensor, species: Tensor | None = None) -> tuple[Tensor, ...]:
        return self.model.local(tokens, species)

    def mix(self, features: tuple[Tensor, ...]) -> Tensor:
        return gelu(self.model.trunk.mix(features)[:, self.bins])


def head_scores(
    readers: dict[str, TrackReader],
    train: Library,
    tests: dict[str, Library],
    host: Host,
    reference: Reference,
    *,
    n: int,
) -> dict:
    """Return Pearson's r on the tests by what a head reads."""
    rows = np.sort(np.random.default_rng(1).permutation(len(train.inserts))[:n])
    train = train.take(rows)
    every = {"train": train, **tests}
    kinds = {
        name: {what: embedded(reader, library, host, reference) for what, library in every.items()}
        for name, reader in readers.items()
    }
    kinds["words of 1 to 4 bases"] = {what: counts(library) for what, library in every.items()}
    kinds["one-hot"] = {what: hot(library).reshape(len(library.inserts), -1)
                        for what, library in every.items()}  # fmt: skip
    found: dict = {}
    for name, x in kinds.items():
        fit = make_pipeline(StandardScaler(), RidgeCV(alphas=STRENGTHS)).fit(
            x["train"], train.measured
        )
        found[name] = {what: score(tests[what], fit.predict(x[what])) for what in tests}
    network = trained(hot(train), train.measured)
    with torch.no_grad():
        found["convolutions on one-hot"] = {
            what: score(library, network(torch.from_numpy(hot(library)).float())[:, 0].numpy())
            for what, library in tests.items()
        }
    return found


def score(library: Library, predicted: np.ndarray) -> list[float]:
    """Return Pearson's r with its interval."""
    return drawn(
        lambda a, b: float(pearson(a, b)), (predicted.astype(float), library.measured),
        library.group, np.ones(len(predicted), dtype=bool),
    )  # fmt: skip


def embedded(reader: TrackReader, library: Library, host: Host, reference: Reference) -> np.ndarray:
    """Return what the last layer before the head has on the insert, in front of a host."""
    window = gene_window(reader, reference, host.body).window
    first, past = window.locate(host.site)
    tokens = np.tile(reference.fetch(window), (len(library.inserts), 1))
    tokens[:, first:past] = np.stack([encode(insert) for insert in library.inserts])
    size = reader.model.resolution
    model = Embedding(reader.model, first // size, -(-past // size)).eval()
    return predict_sequences(model, tokens).values.reshape(len(tokens), -1)


def counts(library: Library) -> np.ndarray:
    """Return how often words of one to four bases stand in each insert."""
    return np.array(
        [
            np.concatenate([words(encode(insert), k) for k in range(1, 5)])
            for insert in library.inserts
        ]
    )


def hot(library: Library) -> np.ndarray:
    """Return inserts base by base, (inserts, bases, 4)."""
    return np.stack([one_hot(encode(insert), np.float32) for insert in library.inserts])


def trained(x: np.ndarray, y: np.ndarray) -> nn.Module:
    """Train a small network of convolutions, both strands shown, on the same sequences."""
    torch.manual_seed(0)
    network = nn.Sequential(
        _Turn(), nn.Conv1d(4, 96, 13, padding=6), nn.ReLU(), nn.MaxPool1d(4), nn.Dropout(0.2),
        nn.Conv1d(96, 64, 7, padding=3), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 1),
    )  # fmt: skip
    tokens, levels = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    middle, spread = levels.mean(), levels.std()
    is_valid = torch.arange(len(y)) % VALID == 0
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
    best, kept = float("inf"), network.state_dict()
    own = torch.nonzero(~is_valid)[:, 0]
    for _ in range(N_EPOCHS):
        network.train()
        for rows in own[torch.randperm(len(own))].split(BATCH):
            loss = F.mse_loss(network(tokens[rows])[:, 0], (levels[rows] - middle) / spread)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            held = F.mse_loss(
                network(tokens[is_valid])[:, 0], (levels[is_valid] - middle) / spread
            ).item()
        if held < best:
            best = held
            kept = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    return network.eval()


class _Turn(nn.Module):
    """Put channels before positions, as torch's convolutions have them."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(2, 1)
