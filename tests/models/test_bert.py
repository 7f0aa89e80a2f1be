import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from cisgram.core.checks import ConfigError
from cisgram.core.device import shapes_only
from cisgram.data.outputs import Outputs
from cisgram.data.tokenizer import FIRST_LETTER, FIRST_WORD, Special, TokenizerConfig
from cisgram.genome import alphabet
from cisgram.genome.alphabet import N
from cisgram.models.base import MASK, mask_bases
from cisgram.models.bert import Bert, BertConfig
from cisgram.models.hub import load_model, save_model
from models.tiny import random_windows

BASES = Outputs.of_bases()
BASE = TokenizerConfig()
THREES = TokenizerConfig(kind="kmer", k=3)
OVERLAPPING = TokenizerConfig(kind="kmer", k=3, stride=1)
PAIRS = TokenizerConfig(kind="bpe", merges=("A C", "AC G", "T T", "TT A", "G G"))
ALL = pytest.mark.parametrize("tokenizer", [BASE, THREES, OVERLAPPING, PAIRS])


def tiny(tokenizer: TokenizerConfig, n_species: int = 2) -> Bert:
    """A model with larger weights than fresh ones have, so that everything matters."""
    torch.manual_seed(0)
    config = BertConfig(
        tokenizer=tokenizer,
        n_species=n_species,
        channels=12,
        n_layers=2,
        n_heads=3,
        feed_channels=20,
        dropout=0.1,
    )
    model = Bert(config, BASES).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "norm" not in name and "head.2" not in name:
                value.normal_(std=0.4)
    return model


MODELS = {(own.kind, own.stride): tiny(own) for own in (BASE, THREES, OVERLAPPING, PAIRS)}


def windows(*texts: str) -> torch.Tensor:
    return torch.from_numpy(np.stack([alphabet.encode(text) for text in texts]))


def masked(tokens: torch.Tensor, *bases: int) -> torch.Tensor:
    found = tokens.clone()
    found[:, list(bases)] = MASK
    return found


def words_of(n: int) -> tuple[str, ...]:
    """Merges that make `n` words: every pair, then every pair and a letter, and so on."""
    words = ["".join(word) for k in range(2, 7) for word in product("ACGT", repeat=k)]
    return tuple(f"{word[:-1]} {word[-1]}" for word in words[:n])


def test_published_sizes():
    merges = words_of(4_096 - FIRST_WORD)
    tokenizer = TokenizerConfig(kind="bpe", merges=merges)
    with shapes_only():
        # DNABERT-2 has 117.07 million; its species are two types of segment, of which it uses one.
        model = Bert(BertConfig(tokenizer=tokenizer, n_species=2), BASES)
        assert model.n_parameters == 117_074_176
        assert Bert(BertConfig(), BASES).n_parameters == 117_074_176 + 9 * 769 - 2 * 768
    parts = {
        name: sum(value.numel() for value in module.parameters())
        for name, module in model.named_children()
    }
    assert parts["words"] == 4_096 * 768
    assert parts["blocks"] == 12 * 9_444_096
    assert parts["head"] == 768 * 768 + 768 + 2 * 768


@ALL
def test_tokens_are_framed_and_padded(tokenizer):
    model = tiny(tokenizer)
    ids, spans = model.tokenize(windows("ACGTTACACGGA", "NNNNNNNNNNNN"))
    assert ids[:, 0].tolist() == [Special.CLS] * 2
    for row in range(2):
        n = int((ids[row] == Special.SEP).nonzero())
        assert (ids[row, 1:n] >= FIRST_LETTER).all()
        assert (ids[row, n + 1 :] == Special.PAD).all()
        assert (spans[row, n:] == 12).all()
        assert spans[row, 0].tolist() == [0, 0]
        covered = {base for start, end in spans[row].tolist() for base in range(start, end)}
        assert covered == set(range(12))


@ALL
@settings(max_examples=20, deadline=None)
@given(st.text("ACGTN", min_size=1, max_size=20), st.integers(0, 2**20 - 1))
def test_a_token_is_hidden_when_a_base_of_it_is(tokenizer, text, bits):
    model, tokens = MODELS[tokenizer.kind, tokenizer.stride], windows(text)
    mask = torch.tensor([[bits >> base & 1 == 1 for base in range(len(text))]]) & (tokens != N)
    # A masked base is cut as A, which decides where byte pairs are cut and nothing else.
    shown = model.tokenize(tokens.masked_fill(mask, 0) if tokenizer is PAIRS else tokens)
    hidden = model.tokenize(mask_bases(tokens, mask))
    assert torch.equal(shown.spans, hidden.spans)
    for seen, found, (start, end) in zip(
        shown.ids[0].tolist(), hidden.ids[0].tolist(), shown.spans[0].tolist(), strict=True
    ):
        touched = any(mask[0, base] for base in range(start, end))
        assert found == (Special.MASK if touched else seen)


def test_single_bases_are_read_off_their_tokens():
    model, tokens = tiny(BASE), windows("ACGNTTAC")
    ids = torch.tensor([[2, 4, 5, 1, 8, 7, 1, 4, 5, 3]])
    shown = masked(tokens, 2, 5)
    assert torch.equal(model.tokenize(shown).ids, ids)
    assert torch.equal(model(shown), model.token_logits(ids)[:, 1:-1, 4:8])


def slow_base_logits(model: Bert, tokens: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """Sum over written-out k-mers, one base of one window after the other."""
    k = model.config.tokenizer.k
    kmers = ["".join(word) for word in product("ACGT", repeat=k)]
    batch = model.tokenize(mask_bases(tokens, mask))
    scores = model.token_logits(batch.ids).detach().double().numpy()
    out = np.zeros((*tokens.shape, 4))
    for row in range(len(tokens)):
        text = alphabet.decode(tokens[row].numpy())
        for base in range(len(text)):
            best = math.inf, -1, -1
            for position, (start, end) in enumerate(batch.spans[row].tolist()):
                if start <= base < end:
                    best = min(best, (abs(base - (start + end - 1) / 2), -start, position))
            position = best[2]
            start, end = batch.spans[row, position].tolist()
            for number, letter in enumerate("ACGT"):
                if end - start == 1:
                    out[row, base, number] = scores[row, position, FIRST_LETTER + number]
                    continue
                agreeing = [
                    scores[row, position, FIRST_WORD + i]
                    for i, word in enumerate(kmers)
                    if word[base - start] == letter
                    and all(
                        word[j] == text[start + j] or mask[row, start + j] or start + j == base
                        for j in range(k)
                    )
                ]
                out[row, base, number] = np.log(np.exp(agreeing).sum())
    return out


@pytest.mark.parametrize("config", [(2, 2), (3, 3), (3, 1), (4, 4), (4, 2), (5, 5)])
def test_bases_of_kmers_are_sums_over_the_kmers_that_agree(config):
    k, stride = config
    model = tiny(TokenizerConfig(kind="kmer", k=k, stride=stride))
    tokens = random_windows(3, 23)
    tokens[0, 4], tokens[1, 20:] = N, N
    mask = torch.rand(3, 23, generator=torch.Generator().manual_seed(2)) < 0.35
    mask &= tokens != N
    got = model(mask_bases(tokens, mask)).detach().numpy()
    np.testing.assert_allclose(got, slow_base_logits(model, tokens, mask), atol=1e-4)
    plain = model(tokens).detach().numpy()
    np.testing.assert_allclose(plain, slow_base_logits(model, tokens, mask & False), atol=1e-4)


def test_a_hidden_kmer_is_guessed_as_a_whole_one_base_after_the_other():
    """Chance of a word = chance of its first base, all hidden, x the second, one shown, ..."""
    model, tokens = tiny(THREES), windows("ACGTTTGAC")
    batch = model.tokenize(masked(tokens, 3, 4, 5))
    words = model.token_logits(batch.ids)[0, 2, FIRST_WORD:].log_softmax(-1)
    chain = 0.0
    for shown, base in enumerate((3, 4, 5)):
        scores = model(masked(tokens, *range(3 + shown, 6)))
        chain += scores[0, base].log_softmax(-1)[3].item()
    assert chain == pytest.approx(words[63].item(), abs=1e-5)


def test_byte_pairs_give_no_bases():
    model, tokens = tiny(PAIRS), random_windows()
    with pytest.raises(ConfigError, match="use token_logits"):
        model(tokens)
    ids = model.tokenize(masked(tokens, 3)).ids
    assert model.token_logits(ids).shape == (*ids.shape, 14)


@ALL
def test_padding_changes_nothing(tokenizer):
    model = tiny(tokenizer)
    tokens = windows("ACGTTACACGGATTA", "ACGNTNACGTNNNNA")
    species = torch.tensor([0, 1])
    together = model.token_logits(model.tokenize(tokens).ids, species)
    embedded = model.embed(tokens, species)
    for row in range(2):
        own = tokens[row : row + 1]
        ids = model.tokenize(own).ids
        alone = model.token_logits(ids, species[row : row + 1])
        torch.testing.assert_close(together[row, : ids.shape[1]], alone[0], atol=1e-5, rtol=1e-5)
        values, spans = model.embed(own, species[row : row + 1])
        n = values.shape[1]
        torch.testing.assert_close(embedded.values[row, :n], values[0], atol=1e-5, rtol=1e-5)
        assert torch.equal(embedded.spans[row, :n], spans[0])
        assert (spans[0, :, 1] > spans[0, :, 0]).all()
        assert not embedded.values[row, n:].any()
        assert (embedded.spans[row, n:] == tokens.shape[1]).all()
    more = F.pad(model.tokenize(tokens).ids, (0, 3), value=Special.PAD)
    longer = model.token_logits(more, species)[:, :-3]
    torch.testing.assert_close(longer, together, atol=1e-5, rtol=1e-5)


@ALL
@pytest.mark.parametrize("length", [1, 2, 7, 40])
def test_windows_of_any_length(tokenizer, length):
    model, tokens = tiny(tokenizer), random_windows(2, length)
    values, spans = model.embed(tokens)
    assert values.shape == (*spans.shape[:2], 12)
    if tokenizer is not PAIRS:
        assert model(tokens).shape == (2, length, 4)


def norm(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return scale * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) + shift


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def attention(x: np.ndarray, own: dict[str, np.ndarray], slopes: list[float]) -> np.ndarray:
    projected = x @ own["attention.project.weight"].T + own["attention.project.bias"]
    query, key, value = np.split(projected, 3, axis=1)
    size, mixed = x.shape[1] // len(slopes), np.zeros_like(x)
    for head, slope in enumerate(slopes):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(x)):
            scores = key[:, part] @ query[i, part] / math.sqrt(size)
            scores = scores - slope * abs(np.arange(len(x)) - i)
            weights = np.exp(scores - scores.max())
            mixed[i, part] = weights / weights.sum() @ value[:, part]
    return mixed @ own["attention.out.weight"].T + own["attention.out.bias"]


def slow_token_logits(model: Bert, ids: list[int], species: int) -> np.ndarray:
    """One window without padding, in float64, from the published description of the network."""
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    # Press et al. give three heads the slopes of two, and the first of four.
    slopes = [2**-4, 2**-8, 2**-2]
    x = weights["words.weight"][ids] + weights["species.weight"][species]
    x = norm(x, weights["norm.weight"], weights["norm.bias"])
    for number in range(model.config.n_layers):
        own = {
            name.removeprefix(f"blocks.{number}."): value
            for name, value in weights.items()
            if name.startswith(f"blocks.{number}.")
        }
        x = x + attention(x, own, slopes)
        x = norm(x, own["attention_norm.weight"], own["attention_norm.bias"])
        gate, linear = np.split(x @ own["feed1.weight"].T, 2, axis=1)
        fed = gelu(gate) * linear @ own["feed2.weight"].T + own["feed2.bias"]
        x = norm(x + fed, own["feed_norm.weight"], own["feed_norm.bias"])
    x = gelu(x @ weights["head.0.weight"].T + weights["head.0.bias"])
    x = norm(x, weights["head.2.weight"], weights["head.2.bias"])
    return x @ weights["words.weight"].T + weights["head_bias"]


@ALL
def test_token_logits_are_those_of_the_network_written_out(tokenizer):
    model = tiny(tokenizer)
    tokens = windows("ACGTTACACGGATTATACGG", "ACGNTNACGTTACGGACGTT")
    ids = model.tokenize(masked(tokens, 3, 9)).ids
    got = model.token_logits(ids, torch.tensor([1, 0])).detach().numpy()
    for row in range(2):
        own = [i for i in ids[row].tolist() if i != Special.PAD]
        expected = slow_token_logits(model, own, 1 - row)
        np.testing.assert_allclose(got[row, : len(own)], expected, atol=2e-4)


@pytest.mark.parametrize("tokenizer", [BASE, THREES])
def test_a_planted_pattern_is_learnt(tokenizer):
    """A window holds one word again and again, so its neighbours tell a token."""
    torch.manual_seed(0)
    words = torch.tensor([[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3]], dtype=torch.uint8)
    if tokenizer is THREES:
        words = torch.cat([words, words.new_tensor([[0, 1, 2], [3, 1, 0], [2, 3, 1], [1, 0, 3]])])
    config = BertConfig(
        tokenizer=tokenizer, channels=64, n_layers=2, n_heads=4, feed_channels=128, dropout=0.0
    )
    model = Bert(config, BASES)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(50):
        tokens = words[torch.randint(0, len(words), (16,))].repeat(1, 8)
        # Whole words, so that no base of a hidden word is shown.
        mask = (torch.rand(16, 8) < 0.3).repeat_interleave(3, dim=1)
        loss = F.cross_entropy(model(mask_bases(tokens, mask))[mask], tokens[mask].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.4


def test_byte_pairs_come_back_from_a_file(tmp_path):
    model, tokens = tiny(PAIRS), random_windows()
    save_model(tmp_path / "model", model, card={})
    again, _ = load_model(tmp_path / "model")
    assert again.config == model.config
    ids = model.tokenize(tokens).ids
    assert torch.equal(again.tokenize(tokens).ids, ids)
    assert torch.equal(again.token_logits(ids), model.token_logits(ids))


def test_tracks_are_refused():
    with pytest.raises(ConfigError, match="bert is a language model; it predicts bases and no"):
        Bert(BertConfig(), Outputs(row="base", names=("a",)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": 10, "n_heads": 3}, r"channels must be a multiple of n_heads \(3\); got 10"),
        ({"n_layers": 0}, "n_layers must be at least 1; got 0"),
        ({"dropout": -0.1}, "dropout must be between 0 and 1; got -0.1"),
    ],
)
def test_what_cannot_be_used_is_named(fields, message):
    with pytest.raises(ConfigError, match=message):
        BertConfig(**fields)
