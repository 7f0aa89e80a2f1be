import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.benchmark import markov
from cisgram.benchmark.markov import FlankModel, MarkovModel
from cisgram.benchmark.markov_kernels import (
    context_keys,
    count_dense,
    count_hashed,
    loss_and_gradient,
    read_dense,
    read_hashed,
)
from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import encode, reverse_complement
from cisgram.genome.reference import Reference

pytestmark = pytest.mark.whole

Model = MarkovModel | FlankModel
Fit = Callable[[list[np.ndarray]], Model]
FITS = [
    pytest.param(lambda contigs: MarkovModel.fit(contigs, 16), id="markov"),
    pytest.param(lambda contigs: FlankModel.fit(contigs, 8), id="flank"),
]


def random_dna(rng: np.random.Generator, n: int, unknown: float = 0.0) -> np.ndarray:
    p = [(1 - unknown) / 4] * 4 + [unknown]
    return rng.choice(5, size=n, p=p).astype(np.uint8)


def chain(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a sequence in which a base depends on the two before it, and each true nll."""
    transitions = rng.dirichlet(np.full(4, 0.7), size=(4, 4))
    tokens = np.zeros(n, dtype=np.uint8)
    nll = np.full(n, math.log(4))
    steps = transitions.cumsum(axis=2)
    for i, u in enumerate(rng.random(n - 2), start=2):
        place = tokens[i - 2], tokens[i - 1]
        tokens[i] = min(int(np.searchsorted(steps[place], u)), 3)
        nll[i] = -math.log(transitions[place][tokens[i]])
    return tokens, nll


def perplexity(model: Model, tokens: np.ndarray) -> float:
    return float(np.exp(np.nanmean(model.nll(tokens))))


@given(
    text=st.text("ACGTN", min_size=1, max_size=40),
    left=st.integers(0, 8),
    right=st.integers(0, 8),
    cut=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
@settings(max_examples=150, deadline=None)
def test_contexts_are_the_letters_around(
    text: str, left: int, right: int, cut: tuple[int, int]
) -> None:
    start, end = sorted(min(at, len(text)) for at in cut)
    keys = context_keys(encode(text), start, end, left, right)
    for i, key in zip(range(start, end), keys, strict=True):
        around = text[max(i - left, 0) : i] + text[i + 1 : i + 1 + right]
        whole = len(around) == left + right and i >= left and "N" not in around
        digits = "".join(str("ACGT".index(letter)) for letter in around) if whole else "0"
        assert key == (int(digits or "0", 4) if whole else -1)


def test_tables_count(rng: np.random.Generator) -> None:
    """Dense and hashed tables against a dictionary, with counts that fill up and halve."""
    tokens = random_dna(rng, 20_000, unknown=0.01)
    tokens[5_000:5_400] = 0
    keys = context_keys(tokens, 0, tokens.size, 3, 2)
    dense = np.zeros((4**5, 4), dtype=np.uint32)
    count_dense(dense, keys, tokens)
    hashed = np.zeros(1 << 11, dtype=np.uint32)
    assert count_hashed(hashed, keys, tokens, 2_000) == 2_000 - 4**5
    exact: dict[int, list[int]] = defaultdict(lambda: [0] * 4)
    halved: dict[int, list[int]] = defaultdict(lambda: [0] * 4)
    for key, base in zip(keys.tolist(), tokens.tolist(), strict=True):
        if key >= 0 and base < 4:
            exact[key][base] += 1
            if halved[key][base] == 15:
                halved[key] = [count // 2 for count in halved[key]]
            halved[key][base] += 1
    for read, table, expected in ((read_dense, dense, exact), (read_hashed, hashed, halved)):
        counts = np.zeros((keys.size, 4), dtype=np.uint32)
        read(table, keys, counts)
        assert counts.tolist() == [expected[key] if key >= 0 else [0] * 4 for key in keys.tolist()]


def test_a_full_table_takes_no_new_contexts(rng: np.random.Generator) -> None:
    keys = np.arange(1000, dtype=np.int64)
    bases = np.ones(1000, dtype=np.uint8)
    table = np.zeros(1 << 10, dtype=np.uint32)
    assert count_hashed(table, keys, bases, 600) == 0
    assert count_hashed(table, keys[:5], bases[:5], 0) == 0
    counts = np.zeros((1000, 4), dtype=np.uint32)
    read_hashed(table, keys, counts)
    assert counts[:, 1].tolist() == [2] * 5 + [1] * 595 + [0] * 400


def test_gradient_is_the_slope_of_the_loss(rng: np.random.Generator) -> None:
    evidence = rng.normal(size=(50, 3, 4)).astype(np.float32)
    levels = rng.integers(0, 12, size=(50, 3)).astype(np.uint8)
    tables, bases = np.array([0, 1, 1]), rng.integers(0, 4, 50).astype(np.uint8)
    weights, slope = rng.normal(size=(2, 12)), rng.normal(size=(2, 12))
    gradient, unused = np.empty((2, 12)), np.empty((2, 12))

    def loss(step: float, out: np.ndarray) -> float:
        return loss_and_gradient(weights + step * slope, evidence, levels, tables, bases, out)

    logits = np.einsum("pc,pcb->pb", weights[tables, levels], evidence.astype(float))
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert loss(0, gradient) == pytest.approx(-log_p[np.arange(50), bases].sum())
    numeric = (loss(1e-5, unused) - loss(-1e-5, unused)) / 2e-5
    assert (gradient * slope).sum() == pytest.approx(numeric, rel=1e-5)


@pytest.mark.parametrize("fit", FITS)
def test_probabilities_are_those_of_the_likelihood(fit: Fit, rng: np.random.Generator) -> None:
    model = fit([random_dna(rng, 3_000)])
    tokens = random_dna(rng, 500, unknown=0.1)
    p, nll = model.probabilities(tokens), model.nll(tokens)
    known = tokens < 4
    assert p.min() > 0
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(np.isnan(nll), ~known)
    np.testing.assert_allclose(
        nll[known], -np.log(p[np.arange(500)[known], tokens[known]]), rtol=1e-12
    )


def test_learns_a_chain_of_known_entropy(rng: np.random.Generator) -> None:
    tokens, truth = chain(rng, 30_000)
    training, test = tokens[:25_000], tokens[25_000:]
    for order in (2, 5, 20):
        model = MarkovModel.fit([training], order, both_strands=False)
        assert -0.01 < np.mean(model.nll(test) - truth[25_000:]) < 0.02
    # What follows tells more, even on a strand that it cannot know.
    assert np.mean(FlankModel.fit([training], 4).nll(test) - truth[25_000:]) < -0.05


@pytest.mark.parametrize("fit", FITS)
def test_finds_nothing_in_random_bases(fit: Fit, rng: np.random.Generator) -> None:
    model = fit([random_dna(rng, 30_000) for _ in range(3)])
    assert 3.97 < perplexity(model, random_dna(rng, 30_000)) < 4.03


@pytest.mark.parametrize("fit", FITS)
def test_copies_what_it_has_seen(fit: Fit, rng: np.random.Generator) -> None:
    """Repeats teach it to trust long contexts; a base that differs is a surprise."""
    element = random_dna(rng, 500)
    training = np.concatenate([part for _ in range(40) for part in (random_dna(rng, 500), element)])
    copy = reverse_complement(element)
    copy[250] = (copy[250] + 1) % 4
    nll = fit([training]).nll(copy)
    assert np.median(nll) < 0.05
    assert nll[250] > 3


def test_validation_sets_weights_and_is_not_counted(rng: np.random.Generator) -> None:
    """A sequence that is there three times teaches its blocks to copy, which serves no other."""
    strain, validation, other = (random_dna(rng, 20_000) for _ in range(3))
    deluded = MarkovModel.fit([strain] * 3, 8)
    sober = MarkovModel.fit([strain] * 3, 8, validation=[validation[:99], validation[99:]])
    assert perplexity(deluded, other) > 4.3 > 4.05 > perplexity(sober, other)
    flank = FlankModel.fit([strain] * 3, 20, validation=[validation])
    assert flank.copied(validation).mean() < 0.001  # tables mistake a context now and then
    assert flank.copied(strain).all()
    assert FlankModel.fit([strain], 20).copied(strain).all(), "blocks held out at first are counted"


def test_sees_what_it_should(rng: np.random.Generator) -> None:
    training = chain(rng, 20_000)[0]
    tokens = chain(rng, 200)[0]
    for model, before, after in (
        (MarkovModel.fit([training], 16), 16, 0),
        (MarkovModel.fit([training], 5), 5, 0),
        (FlankModel.fit([training], 5), 5, 5),
    ):
        changed = tokens.copy()
        changed[100] = (changed[100] + 1) % 4
        differs = model.probabilities(tokens) != model.probabilities(changed)
        where = np.flatnonzero(differs.any(axis=1))
        assert set(where) <= {*range(100 - after, 100), *range(101, 101 + before)}
        assert {99, 101} & set(where) == ({99, 101} if after else {101})


def test_strands_are_equal_to_the_flank_model(rng: np.random.Generator) -> None:
    training, tokens = random_dna(rng, 20_000, unknown=0.001), random_dna(rng, 2_000, unknown=0.01)
    tokens[500:1_000] = training[500:1_000]
    model = FlankModel.fit([training], 16)
    np.testing.assert_allclose(
        model.nll(reverse_complement(tokens)), model.nll(tokens)[::-1], rtol=1e-9
    )


def test_markov_counts_one_strand_or_both(rng: np.random.Generator) -> None:
    adenines = rng.choice([0, 1], size=4_000, p=[0.9, 0.1]).astype(np.uint8)
    one = MarkovModel.fit([adenines], 0, both_strands=False).probabilities(adenines[:1])
    both = MarkovModel.fit([adenines], 0).probabilities(adenines[:1])
    np.testing.assert_allclose(one[0], [0.9, 0.1, 0, 0], atol=0.02)
    np.testing.assert_allclose(both[0], [0.45, 0.05, 0.05, 0.45], atol=0.02)


def test_marks_what_is_copied(rng: np.random.Generator) -> None:
    training = random_dna(rng, 20_000)
    tokens = random_dna(rng, 300)
    tokens[100:150] = reverse_complement(training[5_000:5_050])
    tokens[[99, 150]] = 4
    copied = FlankModel.fit([training], 20).copied(tokens)
    # The bases that touch the copy have 20 of its bases beside them, too.
    assert np.flatnonzero(copied).tolist() == list(range(99, 151))


@pytest.mark.parametrize("fit", FITS)
def test_pieces_do_not_show(
    fit: Fit, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = chain(rng, 5_000)[0]
    model = fit([tokens[:4_000]])
    whole = model.nll(tokens)
    monkeypatch.setattr(markov, "_PIECE", 37)
    np.testing.assert_array_equal(model.nll(tokens), whole)


@pytest.mark.parametrize("fit", FITS)
def test_contexts_end_with_contigs(fit: Fit, rng: np.random.Generator) -> None:
    """Of 5,000 contigs of one base, or bases between N, nothing but the composition is known."""
    bases = random_dna(rng, 5_000)
    apart = fit([bases[i : i + 1] for i in range(5_000)])
    between = fit([np.stack([bases, np.full_like(bases, 4)], axis=1).ravel()])
    for model in (apart, between):
        p = model.probabilities(random_dna(rng, 100))
        np.testing.assert_allclose(p, np.broadcast_to(p[0], p.shape), rtol=1e-12)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("text", ["A", "ACGT", "NNNNAC"])
def test_tiny_training_sequences(fit: Fit, text: str) -> None:
    nll = fit([encode(text)]).nll(encode("ACGTN"))
    assert np.isfinite(nll[:4]).all()
    assert fit([encode(text), encode("")]).nll(encode("")).shape == (0,)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("contigs", [[], [encode("NNN"), encode("")]])
def test_refuses_nothing(fit: Fit, contigs: list[np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"^the training sequence holds no base but N; .*\.$"):
        fit(contigs)


@pytest.mark.parametrize("length", [-1, 25])
def test_refuses_lengths(length: int) -> None:
    with pytest.raises(ConfigError, match="order must be between 0 and 24"):
        MarkovModel.fit([encode("ACGT")], length)
    with pytest.raises(ConfigError, match="flank must be between 0 and 24"):
        FlankModel.fit([encode("ACGT")], length)


@pytest.mark.slow
def test_yeast(shared: Path, tmp_path: Path) -> None:
    """Train on chromosomes I to X of R64, test on XII, XIV and XVI."""
    fasta = shared / "yeast" / "genome" / "sacCer3.fa.gz"
    reference = Reference.from_fasta(fasta, tmp_path / "ref")
    training = [
        reference.contig(name)
        for name in ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"]
    ]
    test = [reference.contig(name) for name in ("XII", "XIV", "XVI")]
    for model, expected in (
        (MarkovModel.fit(training, 10), 3.783),
        (MarkovModel.fit(training), 3.553),
        (FlankModel.fit(training, 6), 3.632),
        (FlankModel.fit(training), 3.468),
    ):
        nll = np.concatenate([model.nll(tokens) for tokens in test])
        assert np.exp(nll.mean()) == pytest.approx(expected, abs=0.002)
