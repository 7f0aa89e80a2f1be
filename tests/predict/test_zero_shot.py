import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import N, decode, encode
from cisgram.models.base import MASK, LanguageModel
from cisgram.predict.zero_shot import (
    ZeroShotConfig,
    place_allele,
    pseudo_log_likelihood,
    site_log_probabilities,
)
from models.tiny import random_windows, tiny_lm


def contig(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, length, dtype=np.uint8)


def watched(model: LanguageModel) -> tuple[LanguageModel, list[tuple]]:
    """Record what the model is shown."""
    seen: list[tuple] = []
    read = model.logits

    def logits(tokens, mask=None, species=None):
        seen.append((tokens.numpy().copy(), None if mask is None else mask.numpy().copy()))
        return read(tokens, mask, species)

    model.logits = logits
    return model, seen


def by_hand(
    model: LanguageModel, window: np.ndarray, position: int, *, masking: str, both: bool
) -> np.ndarray:
    """Read a single window for a single site."""
    comp = torch.tensor([3, 2, 1, 0, 4], dtype=torch.uint8)
    tokens = torch.from_numpy(window.copy())[None]
    mask = torch.zeros(tokens.shape, dtype=torch.bool)
    mask[0, position] = masking == "flag"
    if masking == "zero":
        tokens[0, position] = N
    with torch.no_grad():
        logits = model.logits(tokens, mask)[0, position]
        if both:
            turned = model.logits(comp[tokens.long()].flip(1), mask.flip(1))[0].flip(0).flip(1)
            logits = (logits + turned[position]) / 2
    return torch.log_softmax(logits, dim=-1).numpy()


@pytest.mark.parametrize("strands", ["forward", "both"])
@pytest.mark.parametrize("masking", ["flag", "zero", "none"])
def test_sites_are_read_as_one_would_by_hand(masking, strands):
    model, tokens = tiny_lm(), contig(32)
    sites = np.array([0, 9, 31])
    config = ZeroShotConfig(masking=masking, strands=strands, apart=40)
    found = site_log_probabilities(model, {"c": tokens}, {"c": sites}, config=config)["c"]
    for site, log_p in zip(sites, found, strict=True):
        expected = by_hand(model, tokens, site, masking=masking, both=strands == "both")
        np.testing.assert_allclose(log_p, expected, atol=1e-4)


def test_the_three_ways_of_hiding_differ():
    model, tokens = tiny_lm(), contig(32)
    found = [
        site_log_probabilities(
            model, {"c": tokens}, {"c": np.array([16])}, config=ZeroShotConfig(masking=masking)
        )["c"]
        for masking in ("flag", "zero", "none")
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(found[one] - found[other]).max() > 1e-3


def test_sites_of_a_pass_keep_apart_and_each_is_hidden_once():
    model, seen = watched(tiny_lm())
    tokens, sites = contig(300), np.array([3, 4, 5, 11, 14, 100, 101, 290])
    config = ZeroShotConfig(strands="forward", apart=8, batch=3)
    site_log_probabilities(model, {"c": tokens}, {"c": sites}, config=config)
    passes = [np.flatnonzero(row) for _, mask in seen for row in mask]
    assert sum(map(len, passes)) == len(sites)
    assert min(np.diff(row).min() for row in passes if len(row) > 1) >= 8
    assert len(passes) < len(sites)
    assert not any((shown == MASK).any() for shown, _ in seen)


def test_sites_have_a_quarter_of_a_window_around_them():
    model, seen = watched(tiny_lm())
    tokens = np.arange(400).astype(np.uint8) % 4
    sites = np.array([40, 50, 60, 200, 215])
    config = ZeroShotConfig(strands="forward", apart=1, batch=1)
    site_log_probabilities(model, {"c": tokens}, {"c": sites}, config=config)
    for _, mask in seen:
        hidden = np.flatnonzero(mask[0])
        assert hidden.min() >= 8
        assert hidden.max() < 24


def test_batches_and_contigs_do_not_mix():
    model = tiny_lm()
    contigs = {"a": contig(90, 1), "b": contig(20, 2), "c": contig(50, 3)}
    sites = {"a": np.array([1, 44, 89]), "b": np.array([19]), "c": np.array([], dtype=np.int64)}
    one, many = (
        site_log_probabilities(model, contigs, sites, config=ZeroShotConfig(batch=batch))
        for batch in (1, 5)
    )
    for name in contigs:
        assert one[name].shape == (len(sites[name]), 4)
        np.testing.assert_allclose(one[name], many[name], atol=1e-5)


@pytest.mark.parametrize("sites", [[5, 4], [4, 4], [-1], [50]])
def test_sites_out_of_order_or_place_are_refused(sites):
    with pytest.raises(DataError, match="sites of c must rise from 0 to 49, each once"):
        site_log_probabilities(tiny_lm(), {"c": contig(50)}, {"c": np.array(sites)})


def test_pseudo_log_likelihood_of_one_change_is_the_wild_type_marginal():
    model = tiny_lm()
    reference = random_windows(1)[0].numpy()
    changed = reference.copy()
    changed[13] = (changed[13] + 1) % 4
    scored = np.zeros((2, 32), dtype=bool)
    scored[:, 13] = True
    whole = pseudo_log_likelihood(model, np.stack([changed, reference]), scored)
    config = ZeroShotConfig()
    log_p = site_log_probabilities(model, {"c": reference}, {"c": np.array([13])}, config=config)[
        "c"
    ][0]
    expected = log_p[changed[13]] - log_p[reference[13]]
    assert whole[0] - whole[1] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("masking", ["flag", "zero", "none"])
def test_pseudo_log_likelihood_adds_up_bases_hidden_alone(masking):
    model = tiny_lm()
    windows = random_windows(2).numpy()
    windows[0, 20] = N
    scored = np.zeros((2, 32), dtype=bool)
    scored[0, [3, 7, 20]] = True
    config = ZeroShotConfig(masking=masking, batch=2)
    found = pseudo_log_likelihood(model, windows, scored, config=config)
    expected = sum(
        by_hand(model, windows[0], i, masking=masking, both=True)[windows[0, i]] for i in (3, 7)
    )
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert found[1] == 0


def test_alleles_stand_in_the_middle_of_their_context():
    tokens = encode("AAAACCCCGGGGTTTT")
    window, first = place_allele(tokens, encode("TAT"), start=8, end=9, length=9)
    assert (decode(window), first) == ("CCCTATGGG", 3)
    window, first = place_allele(tokens, encode(""), start=8, end=12, length=8)
    assert (decode(window), first) == ("CCCCTTTT", 4)
    window, first = place_allele(tokens, encode("G"), start=1, end=2, length=6)
    assert (decode(window), first) == ("NAGAAC", 2)
    with pytest.raises(ConfigError, match="an allele of 10 bases"):
        place_allele(tokens, encode("ACGTACGTAC"), start=0, end=1, length=8)


@pytest.mark.parametrize(
    "field", [{"masking": "half"}, {"strands": "two"}, {"apart": 0}, {"batch": 0}]
)
def test_configs_are_checked(field):
    with pytest.raises(ConfigError, match=next(iter(field))):
        ZeroShotConfig(**field)
