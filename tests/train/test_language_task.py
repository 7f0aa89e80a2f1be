import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cisgram.data.corpus import Corpus, CorpusBatch
from cisgram.data.masking import MaskConfig
from cisgram.data.tokenizer import Special, TokenizerConfig
from cisgram.genome.alphabet import reverse_complement
from cisgram.models.bert import BertConfig, BertLM
from cisgram.train.language_task import LanguageTask, LMBatch, guess_tokens, turn
from train.small_corpus import WINDOW, small_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


class Fixed(torch.nn.Module):
    """Gives the same logits at every base."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits))

    def forward(self, shown, hidden, species):
        return self.logits.expand(*shown.shape, 4)


def test_turned_windows_keep_what_is_known_of_each_base():
    tokens = np.array([[0, 1, 2, 4], [0, 1, 2, 4]], dtype=np.uint8)
    exon = np.array([[True, False, False, False]] * 2)
    repeat = np.array([[False, True, False, False]] * 2)
    batch = CorpusBatch(tokens, exon, repeat, np.array([0, 1]))
    turned = turn(batch, np.array([False, True]))
    assert (turned.tokens[0] == tokens[0]).all()
    assert (turned.tokens[1] == reverse_complement(tokens[1])).all()
    assert turned.exon.tolist() == [exon[0].tolist(), [False, False, False, True]]
    assert turned.repeat.tolist() == [repeat[0].tolist(), [False, False, True, False]]


def test_half_of_the_windows_are_turned(corpus):
    task = LanguageTask(corpus, MaskConfig())
    examples = np.arange(task.n_train)
    straight = corpus.batch(corpus.split("train")).tokens
    truth = task.batch(examples, np.random.default_rng(0)).truth.numpy()
    same = (truth == straight).all(axis=1)
    assert (same | (truth == reverse_complement(straight)).all(axis=1)).all()
    assert 0.3 < same.mean() < 0.7


def test_a_few_validation_windows_are_spread_over_all(corpus):
    every = corpus.split("valid")
    few = LanguageTask(corpus, None, max_validation=5)._valid
    assert (few[0], few[-1]) == (every[0], every[-1])
    assert np.ptp(np.diff(few)) <= 1
    assert len(LanguageTask(corpus, None, max_validation=10_000)._valid) == len(every)


@pytest.mark.parametrize("n", [0, 3])
def test_windows_of_a_genome_come_as_often_as_asked(corpus, n):
    task = LanguageTask(corpus, None, copies={"toy": n})
    once = LanguageTask(corpus, None)
    assert task.n_train == n * once.n_train
    if n:
        first, second = (task.batch(np.array([row]), np.random.default_rng(0)) for row in (0, 1))
        assert torch.equal(first.truth, second.truth)


def test_only_the_hidden_are_asked_and_weighed(corpus):
    task = LanguageTask(corpus, MaskConfig(rate=0.25), exon_weight=0.1, repeat_weight=0.5)
    tokens = torch.zeros(1, 8, dtype=torch.uint8)
    asked = torch.tensor([[True, True, True, False, False, False, False, False]])
    weights = torch.tensor([[1.0, 0.1, 0.05, 1, 1, 1, 1, 1]])
    batch = LMBatch(tokens, asked, asked, tokens, weights, torch.zeros(1, dtype=torch.int64))
    model = Fixed([1.0, 0.0, 0.0, 0.0])
    nats = F.cross_entropy(model.logits[None], torch.tensor([0])).item()
    # Divided by the number asked, as published, not by the sum of weights.
    assert task.loss(model, batch).item() == pytest.approx(nats * (1 + 0.1 + 0.05) / 3)


def test_weights_follow_exons_and_repeats(corpus):
    task = LanguageTask(corpus, MaskConfig(), exon_weight=0.1, repeat_weight=0.5)
    windows = CorpusBatch(
        np.zeros((1, 3), dtype=np.uint8),
        np.array([[False, True, True]]),
        np.array([[False, False, True]]),
        np.array([0]),
    )
    weights = task._corrupted(windows, np.random.default_rng(0)).weights
    assert weights.tolist() == [pytest.approx([1, 0.1, 0.05])]


def test_without_masks_every_known_base_is_asked_and_none_hidden(corpus):
    task = LanguageTask(corpus, None)
    batch = task.batch(np.arange(3), np.random.default_rng(0))
    assert not batch.hidden.any()
    assert torch.equal(batch.asked, batch.truth < 4)


def test_validation_is_the_same_at_every_call(corpus):
    task = LanguageTask(corpus, MaskConfig(rate=0.25), max_validation=5)
    model = Fixed([0.3, -0.1, 0.0, 0.2])
    assert task.validate(model, 2) == task.validate(model, 2)
    assert LanguageTask(corpus, MaskConfig()).validate(Fixed([0.0] * 4), 4) == pytest.approx(
        math.log(4)
    )


def test_windows_are_named_with_one_based_positions(corpus):
    task = LanguageTask(corpus, MaskConfig())
    row = corpus.windows[int(corpus.split("train")[0])]
    chrom, start = row["chrom"][0], row["start"][0]
    expected = f"windows toy {chrom}:{start + 1:,}-{start + WINDOW:,}"
    assert task.describe(np.array([0])) == expected


def test_tokens_are_asked_by_their_first_base_and_hidden_whole(corpus):
    torch.manual_seed(0)
    sizes = {"channels": 8, "n_layers": 1, "n_heads": 2, "feed_channels": 8, "dropout": 0.0}
    model = BertLM(BertConfig(tokenizer=TokenizerConfig(kind="kmer", k=4), window=WINDOW, **sizes))
    seen = []
    model.words.register_forward_hook(lambda _layer, given, _out: seen.append(given[0]))
    asked = torch.zeros(1, 8, dtype=torch.bool)
    asked[0, [1, 4]] = True
    tokens = torch.tensor([[0, 1, 2, 3, 3, 2, 1, 0]], dtype=torch.uint8)
    weights = torch.arange(8.0)[None]
    batch = LMBatch(tokens, asked, asked, tokens, weights, torch.zeros(1, dtype=torch.int64))
    guesses = guess_tokens(model, batch)
    # Of the two 4-mers only the second begins at an asked base.
    assert guesses.weights.tolist() == [4.0]
    assert (seen[0] == Special.MASK).sum() == 1
    assert guesses.truth.tolist() == [model.tokenize(tokens).ids[0, 2].item()]
    assert guesses.logits.shape == (1, model.tokenizer.vocabulary_size)
