"""What holds of every registered architecture, those of `examples` too."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cisgram.core.checks import ConfigError
from cisgram.core.config import from_plain, to_plain
from cisgram.data.outputs import Outputs
from cisgram.genome.alphabet import N, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.models.base import SplitModel, mask_bases
from cisgram.models.hub import describe, load_model, save_model
from cisgram.models.registry import architectures, build_model, model_config
from cisgram.prediction.reuse import ReuseConfig, predict_sequences
from cisgram.prediction.sequences import Sequences
from cisgram.prediction.session import Session
from cisgram.prediction.signal import predict_signal
from models.tiny import Case, cases, random_windows

CASES = list(cases())


def of_cases(chosen: Callable[[Any], bool]) -> pytest.MarkDecorator:
    """Run a test for the cases whose model is chosen."""
    found = [case for case in CASES if chosen(case.build())]
    return pytest.mark.parametrize("case", found, ids=str)


EVERY = pytest.mark.parametrize("kind", architectures())
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)
MASKED = of_cases(lambda model: model.reads_masks and not model.causal)
OF_SPECIES = of_cases(lambda model: hasattr(model.config, "n_species"))
SPLIT = of_cases(lambda model: isinstance(model, SplitModel))
OF_TRACKS = of_cases(lambda model: model.outputs.row != "window" and not model.outputs.are_bases)
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def lengths(model: Any) -> list[int]:
    """Its window, and a longer and a shorter one that it takes."""
    return [model.window, model.window + 3 * model.multiple, model.window - model.multiple]


@torch.no_grad()
def read(model: Any, tokens: torch.Tensor, species: int | None = None) -> torch.Tensor:
    number = None if species is None else torch.full((len(tokens),), species)
    return model(tokens, species=number)


@EVERY_CASE
def test_every_row_and_every_column_has_a_number(case: Case) -> None:
    model = case.build()
    for length in lengths(model):
        output = read(model, random_windows(3, length))
        if case.outputs.row == "window":
            assert output.shape == (3, case.outputs.n_columns)
        else:
            inside = length - 2 * case.outputs.margin
            assert output.shape == (3, inside // case.outputs.resolution, case.outputs.n_columns)
        assert output.isfinite().all()
        assert output.std() > 0


@EVERY_CASE
def test_a_model_comes_back_as_it_was(case: Case, tmp_path: Path) -> None:
    model, tokens = case.build(), random_windows(2, case.build().window)
    save_model(tmp_path / "model", model, card={"steps": 3})
    again, card = load_model(tmp_path / "model")
    assert type(again) is type(model)
    assert (again.config, again.outputs, card) == (model.config, model.outputs, {"steps": 3})
    assert not again.training
    assert torch.equal(read(again, tokens), read(model, tokens))


@EVERY_CASE
def test_windows_of_another_length_are_refused_in_one_sentence(case: Case) -> None:
    model = case.build()
    odd = model.multiple * (1 + 2 * case.outputs.margin) + 1
    wrong = [0, *([odd] if model.multiple > 1 else [])]
    for length in wrong:
        with pytest.raises(ConfigError, match=rf"multiple of {model.multiple} bases; got {length}"):
            model(random_windows(1, length))
    if margins := 2 * case.outputs.margin:
        short = margins // model.multiple * model.multiple
        with pytest.raises(ConfigError, match=rf"leaves out {margins} bases of a window; got"):
            model(random_windows(1, short))


@EVERY_CASE
def test_windows_of_a_batch_do_not_mix(case: Case) -> None:
    model = case.build()
    tokens = random_windows(3, model.window)
    alone = torch.cat([read(model, window[None]) for window in tokens])
    torch.testing.assert_close(read(model, tokens), alone, **CLOSE)


@EVERY_CASE
def test_weights_of_bases_are_read_as_the_bases(case: Case) -> None:
    model = case.build()
    tokens = random_windows(2, model.window)
    tokens[0, 5], tokens[1, -1] = N, N
    weights = F.one_hot(tokens.long(), 5)[..., :4].float()
    if model.reads_weights:
        torch.testing.assert_close(read(model, weights), read(model, tokens), **CLOSE)
    # No base but N reads as N.
    assert not torch.allclose(read(model, tokens), read(model, tokens.clamp(max=3)), **CLOSE)


@MASKED
def test_a_masked_base_is_neither_seen_nor_unknown(case: Case) -> None:
    model = case.build()
    tokens = random_windows(2, model.window)
    mask = torch.zeros_like(tokens, dtype=torch.bool)
    mask[:, [0, 10, 11, 19]] = True
    shown, others = (mask_bases(own, mask) for own in (tokens, tokens.masked_fill(mask, 2)))
    assert torch.equal(read(model, shown), read(model, others))
    assert (read(model, shown) - read(model, tokens)).abs().max() > 1e-4
    if model.reads_weights:
        weights = mask_bases(F.one_hot(tokens.long(), 4).float(), mask)
        torch.testing.assert_close(read(model, weights), read(model, shown), **CLOSE)
        unknown = tokens.masked_fill(mask, N)
        assert (read(model, shown) - read(model, unknown)).abs().max() > 1e-4


@OF_SPECIES
def test_species_change_the_output_and_none_is_the_first(case: Case) -> None:
    model = case.build(n_species=3)
    tokens = random_windows(2, model.window)
    first, third = read(model, tokens, 0), read(model, tokens, 2)
    assert torch.equal(read(model, tokens), first)
    assert (third - first).abs().max() > 1e-4
    with torch.no_grad():
        mixed = model(tokens, species=torch.tensor([0, 2]))
    torch.testing.assert_close(mixed, torch.stack([first[0], third[1]]), **CLOSE)


@EVERY_CASE
@pytest.mark.parametrize("tiles", [1, 3, 1_000])
def test_what_windows_share_is_read_once_and_gives_the_plain_loops_output(
    case: Case, tiles: int
) -> None:
    model = case.build()
    window = random_windows(1, max(lengths(model)) + 4 * model.multiple)[0].numpy()
    windows = np.stack([window] * 4 + [random_windows(1, len(window), seed=5)[0].numpy()])
    for number, place in enumerate((len(window) // 2, 0, len(window) - 1)):
        windows[number, place] = (windows[number, place] + 1) % 4
    plain = predict_sequences(model, windows, reuse=False)
    assert np.ptp(plain.values[:4], axis=0).max() > 1e-4
    config = ReuseConfig(tile=tiles * model.multiple)
    shared = predict_sequences(model, windows, config=config)
    np.testing.assert_allclose(shared.values, plain.values, **CLOSE)
    if isinstance(model, SplitModel) and tiles == 3:
        assert shared.account.n_distinct_tiles < shared.account.n_tiles


@SPLIT
def test_pieces_of_a_window_have_the_features_of_the_whole(case: Case) -> None:
    model = case.build()
    assert model.halo % model.multiple == 0 or model.multiple == 1
    before = model.halo + model.multiple
    tokens = random_windows(1, 2 * before + 2 * model.halo + 4 * model.multiple)
    with torch.no_grad():
        whole = model.local(tokens)
        piece = model.local(tokens[:, before : tokens.shape[1] - before])
    assert len(whole) == model.n_levels
    for level, own in zip(whole, piece, strict=True):
        size = tokens.shape[1] // level.shape[1]
        assert model.multiple % size == 0
        inner, skipped = model.halo // size, before // size
        torch.testing.assert_close(
            own[:, inner : own.shape[1] - inner],
            level[:, skipped + inner : level.shape[1] - skipped - inner],
            **CLOSE,
        )


@EVERY_CASE
def test_layers_say_which_bases_their_positions_stand_for(case: Case) -> None:
    model = case.build()
    tokens = random_windows(2, model.window)
    names = model.layer_names
    if model.causal:
        names = (model.embedding_layer,)
    assert model.layer(None) in model.layer_names
    for number, name in enumerate(model.layer_names):
        assert model.layer(str(number)) == model.layer(str(number - len(model.layer_names))) == name
    for name in names:
        with torch.no_grad():
            values, spans = model.embed(tokens, layer=name)
        assert values.shape[:2] == spans.shape[:2] == (2, values.shape[1])
        assert values.isfinite().all()
        assert values.std() > 0
        first, past = spans.unbind(-1)
        assert (first >= 0).all()
        assert (past <= model.window).all()
        assert (first <= past).all()
        assert (first[:, 1:] >= first[:, :-1]).all()
    with pytest.raises(ConfigError, match=f"has no layer 'nothing'; it has {model.layer_names[0]}"):
        model.embed(tokens, layer="nothing")
    with pytest.raises(ConfigError, match=rf"has {len(model.layer_names)} layers; got layer 99"):
        model.embed(tokens, layer="99")


@EVERY_CASE
def test_positions_of_a_layer_change_with_the_bases_they_stand_for(case: Case) -> None:
    """Swap a base in the middle: the position over it must differ."""
    model = case.build()
    place = model.window // 2
    one = random_windows(1, model.window)
    both = torch.cat([one, one])
    both[1, place] = (both[1, place] + 1) % 4
    with torch.no_grad():
        values, spans = model.embed(both)
    over = (spans[0, :, 0] <= place) & (place < spans[0, :, 1])
    assert over.any()
    assert (values[0, over] != values[1, over]).any()


@EVERY_CASE
def test_every_weight_learns(case: Case) -> None:
    model = case.build().train()
    tokens = random_windows(4, model.window)
    tokens[0, 3] = N
    if model.reads_masks and not model.causal:
        tokens = mask_bases(tokens, torch.rand(tokens.shape) < 0.2)
    n_species = getattr(model.config, "n_species", 0)
    species = torch.arange(4) % n_species if n_species else None
    output = model(tokens, species=species)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
    (output * weights).sum().backward()
    for name, value in model.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        assert value.grad.any(), name


@EVERY_CASE
def test_the_two_strands_of_a_window_are_predicted_alike(case: Case) -> None:
    model, outputs = case.build(), case.outputs
    tokens = random_windows(2, model.window)
    output = outputs.in_units(read(model, tokens))
    assert torch.equal(outputs.reversed(outputs.reversed(output)), output)
    turned = torch.from_numpy(reverse_complement(tokens.numpy()).copy())
    other = outputs.in_units(read(model, turned))
    mean, as_turned = output + outputs.reversed(other), other + outputs.reversed(output)
    torch.testing.assert_close(outputs.reversed(mean), as_turned, **CLOSE)
    assert outputs.reversed(output).shape == output.shape
    partner = outputs.partner
    assert (partner[partner] == np.arange(outputs.n_columns)).all()
    if outputs.row != "window":
        assert torch.equal(outputs.reversed(output)[:, 0], output[:, -1][:, partner.tolist()])


@OF_TRACKS
def test_signal_of_the_other_strand_is_the_signal_reversed(case: Case) -> None:
    session = Session(case.build())
    letters = "".join("ACGT"[base] for base in random_windows(1, 150)[0])
    reference = Sequences.from_letters([letters], ["one"]).reference
    size = case.outputs.resolution
    places = [Interval("one", 40, 40 + 12 * size, strand) for strand in ("+", "-")]
    forward, backward = (signal.values for signal in predict_signal(session, places, reference))
    names = list(case.outputs.partner[: len(case.outputs.names)])
    assert np.ptp(forward, axis=0).max() > 1e-5
    np.testing.assert_allclose(forward[::-1][:, names], backward, rtol=1e-4, atol=1e-5)


@EVERY
def test_sizes_come_back_from_json(kind: str) -> None:
    own = architectures()[kind]
    config: Any = model_config(kind, own.tiny, "the recipe")
    plain = json.loads(json.dumps(to_plain(config)))
    assert model_config(kind, plain, "the file") == config
    for case in (case for case in CASES if case.kind == kind):
        outputs = json.loads(json.dumps(to_plain(case.outputs)))
        assert from_plain(Outputs, outputs, "the file") == case.outputs


@EVERY
def test_unknown_sizes_are_refused(kind: str) -> None:
    known = fields(architectures()[kind].config)[0].name
    with pytest.raises(ConfigError, match=rf"\[model\] has no field 'n_lairs'; it knows {known}"):
        model_config(kind, {"n_lairs": 2}, "[model]")


@EVERY
def test_sizes_cannot_be_changed_afterwards(kind: str) -> None:
    config: Any = model_config(kind, architectures()[kind].tiny, "the test")
    with pytest.raises(AttributeError):
        setattr(config, fields(config)[0].name, 3)


@EVERY
def test_every_size_and_the_model_are_described(kind: str) -> None:
    """By a docstring each, which commands and pages show."""
    own = architectures()[kind]
    assert own.model.kind == kind
    for documented in (own.model, own.config):
        first = (documented.__doc__ or "").partition("\n")[0]
        assert first.endswith(".")
        assert not first.startswith(f"{documented.__name__}(")
    facts = describe(kind)
    assert facts["description"] == (own.model.__doc__ or "").partition("\n")[0]
    assert facts["n_parameters"] > 0
    assert not facts["trained"]


@EVERY
def test_outputs_of_another_geometry_are_refused(kind: str) -> None:
    config: Any = model_config(kind, architectures()[kind].tiny, "the test")
    size = config.geometry.resolution + 1
    with pytest.raises(ConfigError):
        build_model(kind, config, Outputs(row="bin", names=("a",), resolution=size))


def test_an_architecture_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"kind in \[model\] must be one of bert, dilated"):
        model_config("shorky", {}, "[model]")
