"""Losses of tasks, on batches of small data sets."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cisgram.core.checks import ConfigError
from cisgram.data.corpus import Corpus, CorpusBatch
from cisgram.data.outputs import Geometry, Outputs
from cisgram.data.targets import TargetBatch
from cisgram.data.tokenizer import Special
from cisgram.genome.alphabet import reverse_complement
from cisgram.models.base import MASK
from cisgram.training.task import Learning, Task, task, task_kind
from cisgram.training.tasks.language import (
    Autoregressive,
    LanguageConfig,
    MaskedBases,
    MaskedBatch,
    MaskedConfig,
    MaskedTokens,
)
from cisgram.training.tasks.tracks import TracksConfig, TracksTask, gene_values
from models.tiny import tiny, tracks
from training.small_corpus import WINDOW, small_corpus

FOUR_MERS = {"tokenizer": {"kind": "kmer", "k": 4}, "window": WINDOW}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


class Fixed(nn.Module):
    """Gives the same scores at every base, and keeps what it was shown."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores))

    def forward(self, tokens: torch.Tensor, species: torch.Tensor | None = None) -> torch.Tensor:
        self.shown = tokens
        return self.scores.expand(*tokens.shape, len(self.scores))


def batch_of(tokens: torch.Tensor, asked: torch.Tensor, weights: torch.Tensor) -> MaskedBatch:
    species = torch.zeros(len(tokens), dtype=torch.int64)
    return MaskedBatch(tokens, asked, asked, tokens, weights, species)


def test_half_of_the_windows_are_reverse_complemented(corpus: Corpus) -> None:
    learning = Learning(corpus, MaskedBases(MaskedConfig()))
    examples = np.arange(learning.n_train)
    straight = corpus.batch(corpus.split("train")).tokens
    truth = learning.batch(examples, np.random.default_rng(0)).truth.numpy()
    same = (truth == straight).all(axis=1)
    assert (same | (truth == reverse_complement(straight)).all(axis=1)).all()
    assert 0.3 < same.mean() < 0.7


def test_masked_bases_are_shown_as_masked(corpus: Corpus) -> None:
    task = MaskedBases(MaskedConfig(rate=0.25))
    batch = Learning(corpus, task).batch(np.arange(3), np.random.default_rng(0))
    model = Fixed([0.0] * 4)
    task.loss(model, batch)
    assert torch.equal(model.shown == MASK, batch.masked)
    assert torch.equal(model.shown[~batch.masked], batch.truth[~batch.masked])
    assert torch.equal(batch.masked, batch.asked)


def test_bases_are_asked_that_are_shown_as_others(corpus: Corpus) -> None:
    task = MaskedBases(MaskedConfig(rate=0.5, random=0.3, unchanged=0.3))
    batch = Learning(corpus, task).batch(np.arange(8), np.random.default_rng(0))
    assert (batch.asked & ~batch.masked).sum() > 0.4 * batch.asked.sum()
    assert (batch.shown != batch.truth).any()
    assert not (batch.masked & ~batch.asked).any()


def test_only_what_is_asked_counts_and_is_weighted() -> None:
    tokens = torch.zeros(1, 8, dtype=torch.uint8)
    asked = torch.tensor([[True, True, True, False, False, False, False, False]])
    weights = torch.tensor([[1.0, 0.1, 0.05, 1, 1, 1, 1, 1]])
    model = Fixed([1.0, 0.0, 0.0, 0.0])
    nats = F.cross_entropy(model.scores[None], torch.tensor([0])).item()
    loss = MaskedBases(MaskedConfig()).loss(model, batch_of(tokens, asked, weights))
    # Divided by the number asked, as published, not by the sum of weights.
    assert loss.item() == pytest.approx(nats * (1 + 0.1 + 0.05) / 3)


def test_weights_follow_exons_and_repeats() -> None:
    windows = CorpusBatch(
        np.zeros((1, 3), dtype=np.uint8),
        np.array([[False, True, True]]),
        np.array([[False, False, True]]),
        np.array([0]),
    )
    for kind, config in ((MaskedBases, MaskedConfig), (Autoregressive, LanguageConfig)):
        task = kind(config(exon_weight=0.1, repeat_weight=0.5))
        weights = task.prepare(windows, np.random.default_rng(0)).weights
        assert weights.tolist() == [pytest.approx([1, 0.1, 0.05])]


def test_every_known_base_is_asked_of_a_causal_model_and_none_masked(corpus: Corpus) -> None:
    learning = Learning(corpus, Autoregressive(LanguageConfig()))
    batch = learning.batch(np.arange(3), np.random.default_rng(0))
    assert not batch.masked.any()
    assert torch.equal(batch.asked, batch.truth < 4)


def test_validation_is_the_same_at_every_call(corpus: Corpus) -> None:
    learning = Learning(corpus, MaskedBases(MaskedConfig(rate=0.25)))
    model = Fixed([0.3, -0.1, 0.0, 0.2])
    assert learning.validate(model, 2) == learning.validate(model, 2)
    assert learning.validate(Fixed([0.0] * 4), 4) == pytest.approx(math.log(4))


def test_a_validation_batch_weighs_as_many_bases_as_are_asked(corpus: Corpus) -> None:
    """So the mean does not depend on the size of batches, whatever N there is."""
    windows = corpus.batch(corpus.split("valid")).tokens
    learning = Learning(corpus, Autoregressive(LanguageConfig()))
    model = Fixed([0.3, -0.1, 0.0, 0.2])
    log_p = model.scores.detach().log_softmax(-1).numpy()
    expected = -log_p[windows[windows < 4]].mean()
    for size in (1, 3, 1_000):
        assert learning.validate(model, size) == pytest.approx(expected, rel=1e-5)


def test_windows_are_named_with_one_based_positions(corpus: Corpus) -> None:
    learning = Learning(corpus, MaskedBases(MaskedConfig()))
    row = corpus.windows[int(corpus.split("train")[0])]
    chrom, start = row["chrom"][0], row["start"][0]
    expected = f"windows toy {chrom}:{start + 1:,}-{start + WINDOW:,}"
    assert learning.describe(np.array([0])) == expected


def test_tokens_are_asked_by_their_first_base_and_masked_whole() -> None:
    model = tiny("bert", **FOUR_MERS)
    seen: list[torch.Tensor] = []
    model.words.register_forward_hook(lambda _layer, given, _out: seen.append(given[0]))
    asked = torch.zeros(1, 8, dtype=torch.bool)
    asked[0, [1, 4]] = True
    tokens = torch.tensor([[0, 1, 2, 3, 3, 2, 1, 0]], dtype=torch.uint8)
    weights = torch.arange(8.0)[None]
    loss = MaskedTokens(MaskedConfig()).loss(model, batch_of(tokens, asked, weights))
    # Of the two 4-mers only the second begins at an asked base.
    ids = model.tokenize(tokens).ids
    assert seen[0].tolist() == [[*ids[0, :2].tolist(), Special.MASK, ids[0, 3].item()]]
    scores = model.token_logits(seen[0])[0, 2]
    expected = 4 * F.cross_entropy(scores[None], ids[0, 2:3])
    torch.testing.assert_close(loss, expected)


GENE = {"gene_window": torch.tensor([1]), "gene_bins": torch.tensor([[1, 3]])}


def test_a_gene_is_the_mean_of_its_bins_in_the_columns_of_its_strand() -> None:
    columns = torch.arange(2 * 4 * 6.0).view(2, 4, 6)
    for opposes, chosen in ((False, slice(0, 3)), (True, slice(3, 6))):
        found = gene_values(
            columns, GENE["gene_window"], GENE["gene_bins"], opposes=torch.tensor([opposes])
        )
        torch.testing.assert_close(found, columns[1, 1:3, chosen].mean(dim=0)[None])


def test_the_loss_of_tracks_is_that_of_signal_and_genes() -> None:
    def batch(values: list[list[float]]) -> Any:
        n = len(values)
        return TargetBatch(  # tensors, as the loop hands them over
            torch.zeros(2, 8, dtype=torch.uint8),
            torch.rand(2, 8, 1, generator=torch.Generator().manual_seed(0)),
            torch.zeros(n, dtype=torch.int64),
            torch.tensor([[0, 4]] * n).reshape(-1, 2),
            torch.zeros(n, dtype=torch.bool),
            torch.tensor(values).reshape(n, 1),
        )

    model = Fixed([0.3, 1.0, 9.0])
    signal = TracksTask(TracksConfig()).loss(model, batch([]))
    assert signal > 0
    # The target is predicted as 1; one gene is unknown.
    for weight in (1.0, 3.0):
        task = TracksTask(TracksConfig(gene_weight=weight))
        both = task.loss(model, batch([[4.0], [math.nan]]))
        torch.testing.assert_close(both, signal + weight * 9)
    more = TracksTask(TracksConfig(total_weight=5.0)).loss(model, batch([]))
    assert more > signal


@pytest.mark.parametrize(
    ("kind", "model", "changes", "sentence"),
    [
        ("masked", ("dilated", {"causal": True}), {}, "masked task and a dilated that is causal"),
        ("autoregressive", ("shorkie", {}), {}, "autoregressive task and a shorkie that is not"),
        ("masked-tokens", ("shorkie", {}), {}, "needs a model that reads tokens; a shorkie does"),
        ("masked-tokens", ("bert", {}), {"random": 0.1}, "belong to the masked task; got the"),
        (
            "masked-tokens",
            ("bert", {"tokenizer": {"kind": "kmer", "k": 4, "stride": 1}}),
            {},
            "k-mers that do not overlap, .* leave out stride = 1",
        ),
        ("masked", ("dilated-cnn", {}), {}, "needs a model that reads masked bases; a"),
    ],
)
def test_models_that_cannot_learn_a_task_are_refused(
    kind: str, model: tuple[str, dict[str, Any]], changes: dict[str, Any], sentence: str
) -> None:
    name, sizes = model
    own = task_kind(kind, "[task]")
    network = tiny(name, Outputs.of_bases(), **sizes)
    with pytest.raises(ConfigError, match=sentence):
        own.task(own.config(**changes)).check(network)


def test_a_task_needs_the_outputs_that_it_is_of() -> None:
    of_tracks = tiny("dilated", tracks(Geometry(window=32)))
    with pytest.raises(ConfigError, match=r"\[model\] predicts word\+, word-, track2 and is no"):
        MaskedBases(MaskedConfig()).check(of_tracks)
    of_windows = tiny("dilated-cnn", Outputs(row="window", names=("a",)))
    with pytest.raises(ConfigError, match="rows along its window; a dilated-cnn here has one for"):
        TracksTask(TracksConfig()).check(of_windows)
    TracksTask(TracksConfig()).check(of_tracks)


def test_tasks_are_found_by_their_kind() -> None:
    assert task_kind("masked", "[task]").task is MaskedBases
    assert MaskedTokens.kind == "masked-tokens"
    known = "autoregressive, masked, masked-tokens, tracks"
    with pytest.raises(ConfigError, match=rf"kind in \[task\] must be one of {known}; got 'fill'"):
        task_kind("fill", "[task]")

    class Other(Task):
        def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
            return torch.zeros(())

    with pytest.raises(ConfigError, match="there is a task masked already; choose another name"):
        task("masked", MaskedConfig)(Other)


@pytest.mark.parametrize(
    ("config", "fields", "sentence"),
    [
        (MaskedConfig, {"rate": 2.0}, "rate must be between 0 and 1; got 2"),
        (MaskedConfig, {"exon_weight": -1.0}, "exon_weight must be at least 0; got -1"),
        (LanguageConfig, {"repeat_weight": -1.0}, "repeat_weight must be at least 0; got -1"),
        (TracksConfig, {"total_weight": -1.0}, "total_weight must be at least 0; got -1"),
        (TracksConfig, {"gene_weight": -1.0}, "gene_weight must be at least 0; got -1"),
    ],
)
def test_settings_are_checked(config: type, fields: dict[str, float], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config(**fields)
