import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError
from cisgram.models.base import SplitModel
from cisgram.prediction.reuse import ReuseConfig, predict_sequences, share_tiles
from cisgram.prediction.tiles import cheapest_size, rounds, tiles_of
from models.tiny import awake, tiny, tiny_dilated, tiny_enformer, tiny_lm, tiny_tracks

TOLERANCE = 1e-5  # of the largest value


MODELS: dict[str, SplitModel] = {
    "bases": awake(tiny_lm()),
    "tracks": tiny_tracks(),
    "enformer": tiny_enformer(),
    "dilated": tiny_dilated(causal=False),
    "causal": tiny_dilated(causal=True),
}


def family(seed: int, *, n: int, length: int) -> np.ndarray:
    """Windows that differ from one sequence by few substitutions, insertions and deletions."""
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, 5, length + 20, dtype=np.uint8)
    windows = np.empty((n, length), dtype=np.uint8)
    for window in windows:
        own = reference.copy()
        for place in rng.integers(0, length, rng.integers(0, 4)):
            edit = rng.integers(3)
            if edit == 0:
                own[place] = rng.integers(0, 5)
            elif edit == 1:
                own = np.insert(own, place, rng.integers(0, 4, 2))
            else:
                own = np.delete(own, slice(place, place + 3))
        window[:] = own[:length]
    return windows


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 9),
    n_units=st.integers(4, 40),
    tile_units=st.none() | st.integers(1, 50),
    batch=st.integers(1, 5),
)
def test_reuse_predicts_what_a_plain_loop_does(
    name: str, seed: int, n: int, n_units: int, tile_units: int | None, batch: int
) -> None:
    model = MODELS[name]
    windows = family(seed, n=n, length=n_units * model.multiple)
    tile = tile_units and tile_units * model.multiple
    plain = predict_sequences(model, windows, species=1, reuse=False)
    reused = predict_sequences(
        model, windows, species=1, config=ReuseConfig(tile=tile, batch=batch)
    )
    assert relative(reused.values, plain.values) < TOLERANCE


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), tile_units=st.integers(1, 12))
def test_gradients_flow_through_shared_tiles(name: str, seed: int, tile_units: int) -> None:
    model = MODELS[name]
    tokens = torch.from_numpy(family(seed, n=6, length=20 * model.multiple))

    def gradients(output: torch.Tensor) -> torch.Tensor:
        model.zero_grad()
        output.square().mean().backward()
        return torch.cat(
            [value.grad.flatten() for value in model.parameters() if value.grad is not None]
        )

    expected = gradients(model(tokens))
    found = gradients(share_tiles(model, tokens, tile=tile_units * model.multiple))
    assert relative(found.numpy(), expected.numpy()) < TOLERANCE


@pytest.mark.parametrize("name", MODELS)
def test_features_depend_on_the_whole_halo_and_nothing_beyond(name: str) -> None:
    """A halo any shorter would be wrong, so that one too short cannot pass unseen."""
    model = MODELS[name]
    length, step = 8 * model.halo, model.multiple
    tokens = torch.from_numpy(family(3, n=1, length=length))
    middle = length // 2 // step * step
    reach = 0
    for place in range(middle - model.halo - step, middle):
        changed = tokens.clone()
        changed[0, place] = (changed[0, place] + 1) % 4
        moved = any(
            not torch.equal(
                own[:, middle * own.shape[1] // length :], new[:, middle * new.shape[1] // length :]
            )
            for own, new in zip(model.local(tokens), model.local(changed), strict=True)
        )
        if moved:
            reach = max(reach, middle - place)
    assert model.halo - step < reach <= model.halo


def test_every_distinct_tile_is_read_once() -> None:
    model = MODELS["tracks"]
    windows = np.repeat(family(0, n=1, length=64 * 4), 6, axis=0)
    windows[1, 100] = (windows[1, 100] + 1) % 4  # in the halo of no other tile
    windows[4] = windows[1]
    found = predict_sequences(model, windows.reshape(2, 3, -1), config=ReuseConfig(tile=64))
    account = found.account
    assert found.index.tolist() == [[0, 1, 0], [0, 1, 0]]
    assert found.values.shape[:2] == (2, 3)
    assert (account.n_windows, account.n_distinct_windows) == (6, 2)
    touched = sum(
        start - model.halo <= 100 < start + 64 + model.halo for start in range(0, 256, 64)
    )
    assert (account.n_tiles, account.n_distinct_tiles) == (24, 4 + touched)
    assert account.distinct_tile_fraction == pytest.approx((4 + touched) / 24)
    assert account.bases_read < windows.size / 2


def test_one_window_is_read_whole() -> None:
    model = MODELS["tracks"]
    found = predict_sequences(model, family(0, n=1, length=256))
    assert (found.account.n_distinct_tiles, found.account.bases_read) == (1, 256)


def test_a_model_without_a_local_part_reads_distinct_windows_whole() -> None:
    model = tiny("bert")
    windows = family(0, n=3, length=24)[[0, 1, 0, 2, 1]]
    found = predict_sequences(model, windows)
    assert found.account.n_distinct_windows == 3
    assert found.account.tile == 0
    expected = predict_sequences(model, windows, reuse=False)
    assert relative(found.values, expected.values) < TOLERANCE
    assert expected.account.distinct_tile_fraction == 1


def test_little_memory_takes_more_rounds_and_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = MODELS["bases"]
    windows = family(5, n=12, length=256)
    at_once = predict_sequences(model, windows, config=ReuseConfig(tile=16))
    monkeypatch.setattr("cisgram.prediction.reuse._MIB", 2**9)
    in_rounds = predict_sequences(model, windows, config=ReuseConfig(tile=16, memory_mib=100))
    assert in_rounds.account.n_distinct_tiles > at_once.account.n_distinct_tiles
    assert relative(in_rounds.values, at_once.values) < TOLERANCE


def test_tiles_are_read_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sizes = MODELS["tracks"], list[int]()
    windows, local = family(5, n=12, length=256), model.local
    monkeypatch.setattr(
        model,
        "local",
        lambda tokens, species: sizes.append(tokens.numel()) or local(tokens, species),
    )
    together = predict_sequences(model, windows, config=ReuseConfig(tile=16))
    assert max(sizes) > 128
    sizes.clear()
    monkeypatch.setattr("cisgram.prediction.reuse._AT_ONCE", 128)
    apart = predict_sequences(model, windows, config=ReuseConfig(tile=16))
    assert max(sizes) <= 128
    assert relative(apart.values, together.values) < TOLERANCE


def test_what_is_kept_of_the_output_can_be_chosen() -> None:
    model = MODELS["tracks"]
    windows = family(0, n=3, length=256)
    kept = predict_sequences(model, windows, reduce=lambda output, spans: output.sum(dim=1))
    assert kept.values.shape == (3, 5)
    np.testing.assert_allclose(
        kept.values, predict_sequences(model, windows).values.sum(axis=1), rtol=1e-5
    )


@pytest.mark.parametrize("reuse", [True, False])
def test_what_is_kept_may_depend_on_the_span_of_each_window(reuse: bool) -> None:
    """Equal windows of other spans are not one, and spans follow their windows."""
    model = MODELS["tracks"]
    windows = family(0, n=3, length=256)[[0, 1, 0, 2, 0]]
    spans = np.array([[0, 9], [5, 20], [3, 8], [0, 9], [0, 9]])

    def rows(output: torch.Tensor, own: np.ndarray) -> torch.Tensor:
        return torch.stack(
            [row[low:high].sum(dim=0) for row, (low, high) in zip(output, own, strict=True)]
        )

    found = predict_sequences(
        model, windows, spans=spans, reduce=rows, reuse=reuse, config=ReuseConfig(batch=2)
    )
    whole = predict_sequences(model, windows).values
    for values, row, (low, high) in zip(found.values, whole, spans, strict=True):
        np.testing.assert_allclose(values, row[low:high].sum(axis=0), rtol=1e-4)
    assert found.account.n_distinct_windows == (4 if reuse else 5)


@pytest.mark.parametrize(
    ("windows", "config", "message"),
    [
        (np.zeros((2, 30), np.uint8), None, "multiple of 4 bases; got 30"),
        (
            np.zeros((2, 32), np.uint8),
            ReuseConfig(tile=6),
            "tile must be a multiple of 4 bases; got 6",
        ),
        (np.zeros((0, 32), np.uint8), None, "at least one window"),
    ],
)
def test_what_does_not_suit_the_model_is_refused(
    windows: np.ndarray, config: ReuseConfig | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        predict_sequences(MODELS["bases"], windows, config=config)


@given(st.integers(0, 1_000), st.integers(1, 30))
def test_rounds_keep_the_order_and_the_limit(seed: int, most: int) -> None:
    windows = [tiles_of(window, size=4, halo=2) for window in family(seed, n=8, length=32)]
    parts = list(rounds(windows, most=most))
    assert [window for part in parts for window in part] == windows
    for part in parts:
        assert len(part) == 1 or len({tile for window in part for tile in window}) <= most


def test_the_cheapest_tile_is_the_one_that_reads_least() -> None:
    windows = family(1, n=40, length=4_096)
    best = cheapest_size(windows, multiple=4, halo=12)
    read = {}
    for exponent in range(12):
        size = 4 * 2**exponent
        pieces = {tile for window in windows for tile in tiles_of(window, size=size, halo=12)}
        read[size] = sum(len(tile.tokens) for tile in pieces)
    assert read[best] == min(read[size] for size in read if size >= 6)
