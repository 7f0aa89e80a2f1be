"""Attribution of genes and windows, against gradients of each strand and mutagenesis."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError
from cisgram.explain.attribute import attribute, attribute_subject, compare_with_mutations
from cisgram.explain.contributions import Contributions
from cisgram.explain.gradients import gradient_times_input
from cisgram.explain.mutants import Recomputation
from cisgram.explain.mutate import Mutations
from cisgram.explain.subject import find_subject
from cisgram.genome.alphabet import N, one_hot, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.prediction.predict import predict
from cisgram.prediction.session import Session
from explain.networks import mirror
from prediction.toy_session import WINDOW, gene_model, language_model, session, window_model

REGIONS = {"left": "c0:591-600", "right": "c0:691-700"}
DNA = "ACGTTGCA" * 5


@pytest.mark.parametrize("gene", REGIONS)
@pytest.mark.parametrize("output", ["worth", "word+"])
def test_a_base_contributes_the_mean_of_both_strands(toy: Session, gene: str, output: str) -> None:
    subject = find_subject(toy, REGIONS[gene], gene=gene, output=output)
    readout, number = subject.readout, subject.readout.outputs.index(output)
    tokens, span = subject.tokens, subject.span[None]
    forward, backward = (
        gradient_times_input(
            toy.model, own, reduce=lambda output, keep=keep: keep(output, span)[:, number]
        )
        for own, keep in ((tokens, readout.forward), (reverse_complement(tokens), readout.backward))
    )
    expected = (forward.hypothetical + backward.hypothetical[::-1, ::-1]) / 2
    level = (forward.reference + backward.reference) / 2
    if output == "word+":  # the slope of log2(1 + counts)
        expected = expected / (np.log(2) * (1 + level))
        level = np.log2(1 + level)
    found = attribute_subject(subject)
    np.testing.assert_allclose(found.window.hypothetical, expected, rtol=1e-4, atol=1e-7)
    assert found.window.reference == pytest.approx(level, rel=1e-5)
    assert abs(forward.hypothetical - backward.hypothetical[::-1, ::-1]).max() > 1e-3
    assert (found.n_steps, found.completeness_gap) == (0, None)


def test_a_gene_of_the_other_strand_is_explained_alike(toy: Session, mirrored: Session) -> None:
    region = Interval("c0", 560, 580, "-")
    options = {"gene": "left", "output": "word+", "n_steps": 2}
    here, there = attribute(toy, region, **options), attribute(mirrored, mirror(region), **options)
    own, other = here.hypothetical, there.hypothetical
    np.testing.assert_allclose(other, own, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("output", ["worth", "word+"])
def test_integrated_gradients_add_up_to_what_is_predicted(toy: Session, output: str) -> None:
    subject = find_subject(toy, REGIONS["left"], gene="left", output=output)
    found = attribute_subject(subject, n_steps=30)
    levels, span = subject.readout.levels, subject.span[None]
    number = subject.readout.outputs.index(output)
    with torch.no_grad():
        nothing = toy.model(torch.full((1, 128, 4), 0.25))
        kept = (
            subject.readout.forward(nothing, span) + subject.readout.backward(nothing, span)
        ) / 2
        unknown = levels(kept)[0, number].item()
    predicted = torch.from_numpy(predict(toy, genes=["left"]).values)
    level = levels(predicted)[0, number].item()
    added, gap = found.window.contributions.sum(), found.completeness_gap
    assert abs(level - unknown) > 0.005
    assert found.window.reference == pytest.approx(level, rel=1e-4)
    assert abs(gap) < 0.02 * abs(found.window.contributions).sum()
    assert added - gap == pytest.approx(level - unknown, abs=1e-4)
    assert (found.n_steps, found.method) == (30, "integrated gradients")


@pytest.mark.parametrize("gene", REGIONS)
def test_a_region_is_cut_out_along_its_strand(toy: Session, gene: str) -> None:
    plus, minus = (attribute(toy, f"{REGIONS[gene]}({strand})", gene=gene) for strand in "+-")
    region = plus.region
    np.testing.assert_array_equal(
        plus.tokens, toy.reference.contig("c0")[region.start : region.end]
    )
    np.testing.assert_array_equal(minus.tokens, reverse_complement(plus.tokens))
    np.testing.assert_array_equal(minus.hypothetical, plus.hypothetical[::-1, ::-1])
    np.testing.assert_array_equal(minus.contributions, plus.contributions[::-1])
    shown = (plus.hypothetical * one_hot(plus.tokens, np.float32)).sum(axis=1)
    np.testing.assert_array_equal(plus.contributions, shown)
    subject = find_subject(toy, REGIONS[gene], gene=gene)
    along = attribute_subject(subject).window.contributions[slice(*subject.bounds)]
    np.testing.assert_array_equal(along, (minus if gene == "right" else plus).contributions)


def test_a_model_is_left_as_it_was(toy: Session) -> None:
    for training in (True, False):
        toy.model.train(training)
        attribute(toy, REGIONS["left"])
        assert {part.training for part in toy.model.modules()} == {training}
    assert all(value.grad is None for value in toy.model.parameters())


def test_windows_of_another_projects_network_are_explained() -> None:
    found = attribute(window_model(), DNA, output="b")
    assert found.output == "b"
    assert found.to_tangermeme().shape == (1, 4, WINDOW)
    np.testing.assert_array_equal(found.to_tangermeme()[0].T, found.window.hypothetical)


@pytest.mark.parametrize("steps", [None, 3])
def test_arrays_say_how_they_came_about(tmp_path: Path, steps: int | None) -> None:
    found = attribute(window_model(), DNA, n_steps=steps)
    found.write_arrays(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert float(arrays["reference"]) == pytest.approx(found.window.reference)
        assert int(arrays["n_steps"]) == (steps or 0)
        assert np.isnan(arrays["completeness_gap"]) == (steps is None)
    again = Contributions.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.contributions, found.contributions)


def test_what_cannot_be_explained_is_refused(toy: Session, place: Path) -> None:
    with pytest.raises(ConfigError, match="output must be one of worth, age, word"):
        attribute(toy, REGIONS["left"], output="tss")
    with pytest.raises(ConfigError, match="n_steps must be at least 1; got 0"):
        attribute(toy, REGIONS["left"], n_steps=0)
    with pytest.raises(ConfigError, match="output, which masked is not; use in-silico mutagenesis"):
        attribute(session(language_model(), place), REGIONS["left"])
    with pytest.raises(ConfigError, match="output, which embedding-distance is not"):
        attribute(gene_model(), DNA, "embedding-distance")


def linear(n: int = 12) -> tuple[Contributions, Mutations]:
    """What gradients and mutagenesis say of a network that is linear."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(n, 4)).astype(np.float32)
    weights -= weights.mean(axis=1, keepdims=True)
    tokens = rng.integers(0, 4, n).astype(np.uint8)
    own = np.take_along_axis(weights, tokens[:, None].astype(int), axis=1)
    region = Interval("c0", 0, n)
    found = Contributions(
        region=region,
        subject="g",
        output="a",
        tokens=tokens,
        contributions=own[:, 0],
        hypothetical=weights,
        method="gradient times input",
    )
    return found, Mutations(
        region=region,
        subject="g",
        tokens=tokens,
        outputs=("a",),
        output="a",
        all_effects=(weights - own)[:, :, None],
        reference=np.zeros(1, np.float32),
        account=Recomputation(),
    )


def test_of_a_linear_network_gradients_say_what_changes_do() -> None:
    found, mutations = linear()
    agreement = compare_with_mutations(found, mutations)
    assert (agreement.bases, agreement.changes) == pytest.approx((1, 1))
    contributions = mutations.contributions.contributions
    np.testing.assert_allclose(found.contributions, 0.75 * contributions, rtol=1e-5)


def test_gradients_that_point_the_wrong_way_agree_below_zero() -> None:
    found, mutations = linear()
    agreement = compare_with_mutations(
        found, replace(mutations, all_effects=-mutations.all_effects)
    )
    assert (agreement.bases, agreement.changes) == pytest.approx((-1, -1))


def test_bases_and_changes_are_counted_apart() -> None:
    found, mutations = linear()
    # Whatever two changes do to each other's favour is the same contribution of the base.
    first, second = ((found.tokens + step) % 4 for step in (1, 2))
    moved = mutations.all_effects.copy()
    moved[np.arange(12), first] += 5
    moved[np.arange(12), second] -= 5
    agreement = compare_with_mutations(found, replace(mutations, all_effects=moved))
    assert agreement.bases == pytest.approx(1, abs=1e-5)
    assert agreement.changes < 0.5


def test_unknown_bases_are_left_out() -> None:
    found, mutations = linear()
    effects = mutations.all_effects + np.float32(0.3) * (mutations.all_effects > 0.5)
    whole = compare_with_mutations(found, replace(mutations, all_effects=effects))
    region, tokens = Interval("c0", 0, 13), np.insert(found.tokens, 3, N)
    longer = replace(
        found,
        region=region,
        tokens=tokens,
        contributions=np.insert(found.contributions, 3, np.nan),
        hypothetical=np.insert(found.hypothetical, 3, np.nan, axis=0),
    )
    effects = np.insert(effects, 3, np.nan, axis=0)
    others = replace(mutations, region=region, tokens=tokens, all_effects=effects)
    again = compare_with_mutations(longer, others)
    assert (again.bases, again.changes) == pytest.approx((whole.bases, whole.changes))
    assert whole.changes < 0.999
