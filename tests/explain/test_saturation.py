from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError
from cisgram.explain import mutants
from cisgram.explain.cones import Cones
from cisgram.explain.saturation import Mutagenesis, mean_of_tracks, saturation_mutagenesis, way_of
from cisgram.genome.alphabet import N, encode
from cisgram.models.base import LayeredModel, Model, SplitModel
from cisgram.nn import changes
from explain.networks import EVERY, network, sequence
from models.tiny import tiny_cnn, tiny_tracks

TOLERANCE = 1e-5  # of the largest output


def read_all(model: Model, windows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        species = torch.ones(len(windows), dtype=torch.int64)
        output = model(torch.from_numpy(windows), species=species)
        return mean_of_tracks(output).numpy()


def plainly(model: Model, tokens: np.ndarray, start: int, end: int) -> np.ndarray:
    """Outputs (positions, 4, tracks) of the whole windows with each base put in."""
    windows = np.tile(tokens, (end - start, 4, 1))
    for number in range(end - start):
        windows[number, np.arange(4), start + number] = np.arange(4)
    outputs = read_all(model, windows.reshape(-1, len(tokens)))
    return outputs.reshape(end - start, 4, -1)


@EVERY
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_effects_are_those_of_the_plain_loop(name: str, data: st.DataObject) -> None:
    model = network(name)
    units = data.draw(st.integers(4, 40))
    length = units * model.multiple
    tokens = sequence(data.draw(st.integers(0, 10_000)), length)
    size = data.draw(st.integers(1, min(10, length)))
    places = st.sampled_from([0, length - size]) | st.integers(0, length - size)
    start = data.draw(places)  # the ends of the window more often than chance would have them
    batch = data.draw(st.none() | st.integers(1, 13))
    found = saturation_mutagenesis(
        model, tokens, start=start, end=start + size, species=1, batch=batch
    )
    expected = plainly(model, tokens, start, start + size)
    reference = read_all(model, tokens[None])[0]
    largest = np.abs(expected).max()
    assert np.abs(found.reference - reference).max() < TOLERANCE * largest
    known = tokens[start : start + size] < N
    difference = found.effects[known] - (expected - reference)[known]
    assert np.abs(difference).max(initial=0) < TOLERANCE * largest
    assert np.isnan(found.effects[~known]).all()
    rows = np.flatnonzero(known)
    assert not found.effects[rows, tokens[start : start + size][known]].any()
    np.testing.assert_array_equal(found.tokens, tokens[start : start + size])


@EVERY
def test_a_whole_window_that_no_halo_fits_into(name: str) -> None:
    model = network(name)
    tokens = sequence(1, 3 * model.multiple)
    tokens[0] = 2
    if name == "tracks":  # its crop leaves nothing of so little
        tokens = sequence(1, 32)
    found = saturation_mutagenesis(model, tokens, species=1)
    expected = plainly(model, tokens, 0, len(tokens)) - read_all(model, tokens[None])
    known = tokens < N
    assert found.effects.shape == expected.shape
    largest = np.abs(plainly(model, tokens, 0, 1)).max()
    assert np.abs(found.effects[known] - expected[known]).max() < TOLERANCE * largest


@EVERY
def test_each_way_finds_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways above a model's own are correct for it too."""
    model, tokens = network(name), sequence(2, 120)
    ways: list[Any] = [mutants.WholeWindows]
    ways += [mutants.Segments] * isinstance(model, SplitModel)
    ways += [Cones] * isinstance(model, LayeredModel)
    assert isinstance(way_of(model, window_of(tokens)), ways[-1])
    own = saturation_mutagenesis(model, tokens, start=40, end=50)
    for way in ways[:-1]:
        monkeypatch.setattr("cisgram.explain.saturation.way_of", way)
        other = saturation_mutagenesis(model, tokens, start=40, end=50)
        largest = np.abs(other.reference).max() + np.nanmax(np.abs(other.effects))
        np.testing.assert_allclose(own.effects, other.effects, atol=TOLERANCE * largest, rtol=0)


def window_of(tokens: np.ndarray) -> mutants.Window:
    return mutants.Window(
        tokens=tokens, species=0, reduce=mean_of_tracks, batch=None, device=torch.device("cpu")
    )


@pytest.mark.parametrize("name", ["pooled", "per base", "tracks", "no local part"])
def test_what_is_kept_of_outputs_can_be_chosen(name: str) -> None:
    model, tokens = network(name), sequence(3, 64)
    found = saturation_mutagenesis(model, tokens, start=20, end=24, reduce=lambda output: output)
    with torch.inference_mode():
        whole = model(torch.from_numpy(tokens[None]))[0].numpy()
        mutant = tokens.copy()
        mutant[21] = (tokens[21] + 1) % 4
        other = model(torch.from_numpy(mutant[None]))[0].numpy()
    np.testing.assert_allclose(found.reference, whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.effects[1, mutant[21]], other - whole, atol=1e-4)
    assert found.effects.shape == (4, 4, *whole.shape)


def test_segments_read_the_bases_around_mutations_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network("tracks")
    tokens = np.zeros(100 * model.multiple, np.uint8)
    read: list[int] = []
    local = model.local
    monkeypatch.setattr(
        model,
        "local",
        lambda tokens, species: read.append(tokens.numel()) or local(tokens, species),
    )
    found = saturation_mutagenesis(model, tokens, start=190, end=210)
    assert found.account.n_mutants == 60
    assert sum(read) == tokens.size + 60 * (4 * model.halo + model.multiple)
    assert found.account.positions_computed == sum(read) - tokens.size
    assert found.account.positions_of_a_plain_loop == 60 * tokens.size
    assert found.account.positions_computed < found.account.positions_of_a_plain_loop / 5


@pytest.mark.parametrize("pooled", [True, False])
def test_layers_compute_the_rows_that_change_alone(
    pooled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens = tiny_cnn(pooled=pooled), np.zeros(1_000, np.uint8)
    computed: list[tuple[int, int]] = []
    follow = changes._ReluChange.__call__

    def counted(self: Any, delta: Any, first: int, *, out: Any) -> None:
        computed.append((len(out), out.shape[1] * out.shape[2]))
        follow(self, delta, first, out=out)

    monkeypatch.setattr(changes._ReluChange, "__call__", counted)
    monkeypatch.setattr(model, "local", None)  # nothing else may read DNA
    account = saturation_mutagenesis(model, tokens, start=500, end=520, batch=12).account
    widths = [5, 9, 17]  # a width of 5, then 2 and 4 more on either side
    assert computed == [(width, 12) for _ in range(5) for width in widths]
    assert account.n_mutants == 60
    head = 0 if pooled else 17
    assert account.positions_computed == 60 * (sum(widths) + head)
    assert account.positions_of_a_plain_loop == 60 * 1_000 * (3 + (not pooled))


def test_small_effects_of_a_mean_are_not_rounded_away() -> None:
    model, tokens = network("pooled"), sequence(6, 5_000)
    found = saturation_mutagenesis(model, tokens, start=2_500, end=2_510, species=1).effects
    exact = deepcopy(model).double()
    reference = read_all(exact, tokens[None])
    expected = plainly(exact, tokens, 2_500, 2_510) - reference
    known = tokens[2_500:2_510] < N
    largest = np.abs(expected).max()
    assert largest < 1e-3 * np.abs(reference).max()
    assert np.abs(found - expected)[known].max() < TOLERANCE * largest


def test_unknown_bases_part_the_runs_and_cost_nothing() -> None:
    model, tokens = network("pooled"), np.zeros(40, np.uint8)
    tokens[[10, 14, 15]] = N
    found = saturation_mutagenesis(model, tokens, start=10, end=18)
    assert found.account.n_mutants == 3 * 5
    assert np.isnan(found.effects[[0, 4, 5]]).all()
    assert np.isfinite(np.delete(found.effects, [0, 4, 5], axis=0)).all()
    nothing = saturation_mutagenesis(model, np.full(9, N, np.uint8))
    assert np.isnan(nothing.effects).all()
    assert np.isfinite(nothing.reference).all()


@pytest.mark.parametrize("name", ["pooled", "tracks", "no local part"])
def test_sequences_that_may_not_be_written_to_are_read(name: str) -> None:
    tokens = encode("GATTACANN" * 8)
    tokens.flags.writeable = False
    found = saturation_mutagenesis(network(name), tokens, start=5, end=8)
    assert np.isfinite(found.effects[:2]).all()
    assert np.isnan(found.effects[2]).all()


def test_models_are_left_in_training_as_they_were() -> None:
    model, tokens = tiny_tracks(), sequence(4, 64)
    expected = saturation_mutagenesis(model, tokens, start=30, end=32)
    model.train()
    found = saturation_mutagenesis(model, tokens, start=30, end=32)
    assert model.training
    np.testing.assert_array_equal(found.effects, expected.effects)


def test_the_mean_is_over_all_but_tracks() -> None:
    output = torch.arange(24.0).view(2, 3, 4)
    assert torch.equal(mean_of_tracks(output), output.mean(dim=1))
    assert torch.equal(mean_of_tracks(output[:, 0]), output[:, 0])


def test_attributions_have_bases_before_positions_and_no_mean() -> None:
    effects = np.zeros((2, 4, 3), np.float32)
    effects[0, 1] = [4.0, 8.0, 12.0]
    found = Mutagenesis(
        effects=effects,
        reference=np.zeros(3, np.float32),
        tokens=np.array([0, 0], np.uint8),
        account=mutants.Recomputation(),
    )
    np.testing.assert_allclose(found.to_tangermeme()[0, :, 0], [-2, 6, -2, -2])
    assert found.to_tangermeme().shape == (1, 4, 2)
    assert not found.to_tangermeme()[0, :, 1].any()


@pytest.mark.parametrize(
    ("length", "region", "message"),
    [
        (30, {}, "a multiple of 4 bases; got 30"),
        (32, {"start": 5, "end": 5}, "start before end; got 5 and 5"),
        (32, {"start": 5, "end": 33}, "the window of 32, start before end; got 5 and 33"),
        (32, {"start": -1}, "got -1 and 32"),
        (32, {"batch": 0}, "batch must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_mutated_is_refused(length: int, region: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        saturation_mutagenesis(network("tracks"), np.zeros(length, np.uint8), **region)
