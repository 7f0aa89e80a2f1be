"""Batches that networks are trained and validated on."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from cisgram.data.base import data_kind
from cisgram.data.corpus import Corpus, CorpusBatch, reversed_where
from cisgram.data.corpus_config import CorpusConfig
from cisgram.data.outputs import Outputs
from cisgram.genome.alphabet import reverse_complement
from training.small_corpus import WINDOW, small_corpus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpora")


@pytest.fixture(scope="module")
def corpus(place: Path) -> Corpus:
    return small_corpus(place)


def test_reverse_complemented_windows_keep_what_is_known_of_each_base() -> None:
    tokens = np.array([[0, 1, 2, 4], [0, 1, 2, 4]], dtype=np.uint8)
    exon = np.array([[True, False, False, False]] * 2)
    repeat = np.array([[False, True, False, False]] * 2)
    batch = CorpusBatch(tokens, exon, repeat, np.array([0, 1]))
    turned = reversed_where(batch, np.array([False, True]))
    assert (turned.tokens[0] == tokens[0]).all()
    assert (turned.tokens[1] == reverse_complement(tokens[1])).all()
    assert turned.exon.tolist() == [exon[0].tolist(), [False, False, False, True]]
    assert turned.repeat.tolist() == [repeat[0].tolist(), [False, False, True, False]]
    assert turned.species.tolist() == [0, 1]


def test_validation_windows_come_once_and_as_they_are(corpus: Corpus) -> None:
    batches = list(corpus.valid_batches(5))
    assert [n for n, _ in batches[:-1]] == [5] * (len(batches) - 1)
    tokens = np.concatenate([batch.tokens for _, batch in batches])
    np.testing.assert_array_equal(tokens, corpus.batch(corpus.split("valid")).tokens)
    assert sum(n for n, _ in batches) == len(tokens)


@pytest.mark.parametrize("most", [5, 10_000])
def test_a_few_validation_windows_are_spread_over_all(
    corpus: Corpus, place: Path, most: int
) -> None:
    every = corpus.batch(corpus.split("valid")).tokens
    few = small_corpus(place / str(most), max_validation=most)
    ((n, batch),) = few.valid_batches(10_000)
    assert n == min(most, len(every))
    rows = [int((every == window).all(axis=1).argmax()) for window in batch.tokens]
    assert (rows[0], rows[-1]) == (0, len(every) - 1)
    assert np.ptp(np.diff(rows)) <= 1


@pytest.mark.parametrize("n", [0, 3])
def test_windows_of_a_genome_come_as_often_as_asked(corpus: Corpus, place: Path, n: int) -> None:
    copied = small_corpus(place / f"copies{n}", copies={"toy": n})
    assert copied.n_train == n * corpus.n_train
    if n:
        first, second = (copied.train_batch(np.array([row]), _rng()).tokens for row in (0, n - 1))
        np.testing.assert_array_equal(first, second)
        other = copied.train_batch(np.array([n]), _rng()).tokens
        assert (other != first).any()


def test_a_corpus_says_what_is_learnt_from_it(corpus: Corpus) -> None:
    assert corpus.outputs == Outputs.of_bases()
    assert corpus.n_train == len(corpus.split("train"))
    again = pickle.loads(pickle.dumps(corpus))  # as other processes get it
    assert again.describe(np.array([0, 1])) == corpus.describe(np.array([0, 1]))
    assert again.train_batch(np.array([0]), _rng()).tokens.shape == (1, WINDOW)


def test_a_corpus_is_found_by_its_kind() -> None:
    kind = data_kind("corpus", "[data]")
    assert kind.config is CorpusConfig
    assert kind.open == Corpus.open


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
