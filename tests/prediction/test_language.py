import numpy as np
import polars as pl
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import N, decode
from cisgram.genome.reference import Reference
from cisgram.models.base import MASK, Model
from cisgram.prediction.language import (
    EmbeddingDistance,
    MaskedLogRatio,
    PseudoLikelihood,
    pseudo_log_likelihood,
    site_log_probabilities,
)
from cisgram.prediction.masked import MaskingConfig
from cisgram.prediction.sequences import Windows
from models.tiny import random_windows, tiny_dilated, tiny_lm, tiny_tracks


def contig(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, length, dtype=np.uint8)


def watched(model: Model) -> tuple[Model, list[np.ndarray]]:
    """Record what the model is shown."""
    seen: list[np.ndarray] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0].numpy().copy()))
    return model, seen


def by_hand(
    model: Model, window: np.ndarray, position: int, *, masking: str = "flag", both: bool = True
) -> np.ndarray:
    """Read a single window for a single site."""
    comp = torch.tensor([3, 2, 1, 0, 4, 5], dtype=torch.uint8)
    tokens = torch.from_numpy(window.copy())[None]
    if masking != "none":
        tokens[0, position] = MASK if masking == "flag" else N
    with torch.no_grad():
        logits = model(tokens)[0, position]
        if both:
            turned = model(comp[tokens.long()].flip(1))[0].flip(0).flip(1)
            logits = (logits + turned[position]) / 2
    return torch.log_softmax(logits, dim=-1).numpy()


@pytest.mark.parametrize("strands", ["forward", "both"])
@pytest.mark.parametrize("masking", ["flag", "zero", "none"])
def test_sites_are_read_as_one_would_by_hand(masking, strands):
    model, tokens = tiny_lm(), contig(32)
    sites = np.array([0, 9, 31])
    config = MaskingConfig(masking=masking, strands=strands, apart=40)
    found = site_log_probabilities(model, {"c": tokens}, {"c": sites}, config=config)["c"]
    for site, log_p in zip(sites, found, strict=True):
        expected = by_hand(model, tokens, site, masking=masking, both=strands == "both")
        np.testing.assert_allclose(log_p, expected, atol=1e-4)


def test_the_three_ways_of_masking_differ():
    model, tokens = tiny_lm(), contig(32)
    found = [
        site_log_probabilities(
            model, {"c": tokens}, {"c": np.array([16])}, config=MaskingConfig(masking=masking)
        )["c"]
        for masking in ("flag", "zero", "none")
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(found[one] - found[other]).max() > 1e-3


def test_sites_of_a_pass_keep_apart_and_each_is_masked_once():
    model, seen = watched(tiny_lm())
    tokens, sites = contig(300), np.array([3, 4, 5, 11, 14, 100, 101, 290])
    config = MaskingConfig(strands="forward", apart=8, batch=3)
    site_log_probabilities(model, {"c": tokens}, {"c": sites}, config=config)
    passes = [np.flatnonzero(row == MASK) for shown in seen for row in shown]
    assert sum(map(len, passes)) == len(sites)
    assert min(np.diff(row).min() for row in passes if len(row) > 1) >= 8
    assert len(passes) < len(sites)


def test_sites_have_a_quarter_of_a_window_around_them():
    model, seen = watched(tiny_lm())
    tokens = np.arange(400).astype(np.uint8) % 4
    sites = np.array([40, 50, 60, 200, 215])
    config = MaskingConfig(strands="forward", apart=1, batch=1)
    site_log_probabilities(model, {"c": tokens}, {"c": sites}, config=config)
    for shown in seen:
        masked = np.flatnonzero(shown[0] == MASK)
        assert masked.min() >= 8
        assert masked.max() < 24


def test_batches_and_contigs_do_not_mix():
    model = tiny_lm()
    contigs = {"a": contig(90, 1), "b": contig(20, 2), "c": contig(50, 3)}
    sites = {"a": np.array([1, 44, 89]), "b": np.array([19]), "c": np.array([], dtype=np.int64)}
    one, many = (
        site_log_probabilities(model, contigs, sites, config=MaskingConfig(batch=batch))
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
    config = MaskingConfig()
    log_p = site_log_probabilities(model, {"c": reference}, {"c": np.array([13])}, config=config)[
        "c"
    ][0]
    expected = log_p[changed[13]] - log_p[reference[13]]
    assert whole[0] - whole[1] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("masking", ["flag", "zero", "none"])
def test_pseudo_log_likelihood_adds_up_bases_masked_alone(masking):
    model = tiny_lm()
    windows = random_windows(2).numpy()
    windows[0, 20] = N
    scored = np.zeros((2, 32), dtype=bool)
    scored[0, [3, 7, 20]] = True
    config = MaskingConfig(masking=masking, batch=2)
    found = pseudo_log_likelihood(model, windows, scored, config=config)
    expected = sum(
        by_hand(model, windows[0], i, masking=masking, both=True)[windows[0, i]] for i in (3, 7)
    )
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert found[1] == 0


def test_causal_models_read_each_haplotype_once():
    model, seen = watched(tiny_dilated(causal=True))
    windows = random_windows(2).numpy()
    scored = np.zeros((2, 32), dtype=bool)
    scored[:, 10:14] = True
    config = MaskingConfig(strands="forward")
    found = pseudo_log_likelihood(model, windows, scored, config=config)
    assert sum(map(len, seen)) == 2
    with torch.no_grad():
        log_p = model(torch.from_numpy(windows)).log_softmax(-1).numpy()
    for row, total in enumerate(found):
        own = log_p[row, np.arange(10, 14), windows[row, 10:14]]
        assert total == pytest.approx(own.sum(), abs=1e-5)


def reference_of(tokens: np.ndarray, path) -> Reference:
    (path / "g.fa").write_text(f">c\n{decode(tokens)}\n")
    return Reference.from_fasta(path / "g.fa", path / "reference")


def test_the_masked_log_ratio_is_the_models_own(tmp_path):
    model, tokens = tiny_lm(), contig(32)
    reference = reference_of(tokens, tmp_path)
    bases = decode(tokens)
    rows = [("c", at, bases[at], "ACGT"[(tokens[at] + 1) % 4]) for at in (0, 13, 31)]
    rows.append(("c", 5, bases[5:7], "".join("ACGT"[(tokens[at] + 2) % 4] for at in (5, 6))))
    rows.append(("c", 8, bases[8:10], bases[8]))
    variants = pl.DataFrame(rows, schema=["chrom", "start", "ref", "alt"], orient="row")
    found = MaskedLogRatio().ratios(model, reference, variants)
    for (_, at, ref, alt), ratio in zip(rows[:3], found, strict=False):
        log_p = by_hand(model, tokens, at)
        expected = log_p["ACGT".index(alt)] - log_p["ACGT".index(ref)]
        assert ratio == pytest.approx(expected, abs=1e-4)
    # Each base of several is masked alone: they lie within 256 of each other.
    two = [by_hand(model, tokens, at) for at in (5, 6)]
    expected = sum(
        p[(tokens[at] + 2) % 4] - p[tokens[at]] for p, at in zip(two, (5, 6), strict=True)
    )
    assert found[3] == pytest.approx(expected, abs=1e-4)
    assert np.isnan(found[4])  # a deletion has no site in common


def test_alleles_with_an_unknown_base_have_a_ratio_of_the_others(tmp_path):
    model, tokens = tiny_lm(), contig(32)
    reference, bases = reference_of(tokens, tmp_path), decode(tokens)
    new = "ACGT"[(tokens[6] + 1) % 4]
    rows = [("c", 5, bases[5:7], f"N{new}"), ("c", 6, bases[6], new)]
    variants = pl.DataFrame(rows, schema=["chrom", "start", "ref", "alt"], orient="row")
    several, alone = MaskedLogRatio().ratios(model, reference, variants)
    assert several == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("flank", [0, 3])
def test_a_likelihood_is_of_the_span_and_its_flanks(flank):
    model, window = tiny_lm(), random_windows(1)[0].numpy()
    readout = PseudoLikelihood(flank=flank)
    (found,) = readout.read(model, Windows(window[None], np.array([[12, 14]])))
    places = range(12 - flank, 14 + flank)
    expected = sum(by_hand(model, window, at)[window[at]] for at in places)
    assert found[0] == pytest.approx(expected, abs=1e-4)


def test_equal_haplotypes_are_equally_likely():
    windows = Windows(np.repeat(random_windows(1).numpy(), 2, axis=0), np.array([[12, 14]] * 2))
    readout = PseudoLikelihood()
    one, other = readout.read(tiny_lm(), windows)
    assert readout.effect(one, other).tolist() == [0]


@pytest.mark.parametrize("make", [tiny_lm, tiny_tracks])
def test_embeddings_are_compared_over_the_span(make):
    model = make()
    window = random_windows(2, model.window).numpy()
    readout = EmbeddingDistance(batch=1)
    kept = readout.read(model, Windows(window, np.array([[10, 17]] * 2)))
    embedded = model.embed(torch.from_numpy(window))
    spans, values = embedded.spans[0].numpy(), embedded.values.detach().numpy()
    shared = np.minimum(spans[:, 1], 17) - np.maximum(spans[:, 0], 10)
    shared = np.maximum(shared, 0)
    assert shared.sum() == 7
    expected = (values * shared[:, None]).sum(axis=1) / 7
    np.testing.assert_allclose(kept, expected, rtol=1e-4, atol=1e-5)
    distance, cosine = readout.effect(kept[1], kept[0])
    assert distance == pytest.approx(np.linalg.norm(expected[1] - expected[0]), rel=1e-4)
    product = expected[0] @ expected[1]
    size = np.linalg.norm(expected[0]) * np.linalg.norm(expected[1])
    assert cosine == pytest.approx(1 - product / size, abs=1e-5)
    np.testing.assert_allclose(readout.effect(kept[:1], kept[:1]), [[0, 0]], atol=1e-6)


def test_another_layer_can_be_compared():
    model, window = tiny_lm(), random_windows(1).numpy()
    windows = Windows(window, np.array([[0, 32]]))
    kept = EmbeddingDistance(layer=model.layer_names[0]).read(model, windows)
    values = model.embed(torch.from_numpy(window), layer=model.layer_names[0]).values
    np.testing.assert_allclose(kept[0], values[0].detach().mean(dim=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "field", [{"strands": "two"}, {"apart": 0}, {"batch": 0}, {"n_passes": 0}, {"masking": "half"}]
)
def test_configs_are_checked(field):
    with pytest.raises(ConfigError, match=next(iter(field))):
        MaskingConfig(**field)


def test_flanks_are_no_less_than_none():
    with pytest.raises(ConfigError, match="flank must be at least 0; got -1"):
        PseudoLikelihood(flank=-1)
