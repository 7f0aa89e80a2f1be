"""What numbers mean: columns, rows, strands, scales and units."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cisgram.core.checks import CisgramError, ConfigError
from cisgram.data.base import data_kind, dataset
from cisgram.data.outputs import Geometry, Outputs, Scale

SIGNAL = Outputs(
    row="bin",
    names=("tss+", "mnase", "tss-"),
    gene_targets=("tpm", "half_life"),
    resolution=4,
    margin=8,
    activation="softplus",
)


def test_columns_are_names_then_targets_of_both_strands() -> None:
    assert SIGNAL.n_columns == 3 + 2 * 2
    assert SIGNAL.partner.tolist() == [2, 1, 0, 5, 6, 3, 4]
    assert SIGNAL.of_gene == ("tpm", "half_life", "tss+", "mnase")
    assert SIGNAL.upstream == (0, 0, 0)


def test_a_strand_without_its_partner_is_its_own() -> None:
    alone = Outputs(row="base", names=("tss+", "other-", "+"))
    assert alone.partner.tolist() == [0, 1, 2]


@given(st.permutations(["a+", "a-", "b+", "b-", "c", "d"]), st.integers(0, 3))
def test_partners_are_partners_of_each_other(names: list[str], n_targets: int) -> None:
    targets = tuple(f"target{number}" for number in range(n_targets))
    outputs = Outputs(row="base", names=tuple(names), gene_targets=targets)
    partner = outputs.partner
    assert (partner[partner] == np.arange(outputs.n_columns)).all()
    for number, name in enumerate(names):
        other = {"+": name[:-1] + "-", "-": name[:-1] + "+"}.get(name[-1], name)
        assert names[partner[number]] == other


def test_bases_are_reversed_to_their_complements() -> None:
    bases = Outputs.of_bases()
    assert bases.are_bases
    assert not replace(bases, activation="none").are_bases
    window = torch.arange(8.0).view(1, 2, 4)
    assert bases.reversed(window)[0].tolist() == [[7, 6, 5, 4], [3, 2, 1, 0]]


def test_outputs_of_a_window_keep_their_place() -> None:
    outputs = Outputs(row="window", names=("a+", "b", "a-"))
    units = torch.arange(6.0).view(2, 3)
    assert outputs.reversed(units).tolist() == [[2, 1, 0], [5, 4, 3]]
    assert replace(outputs, names=("a", "b", "c")).reversed(units) is units


def test_units_undo_activation_scale_and_power() -> None:
    """Written out: counts of 9 in a track of mean 2 were trained on as sqrt(9) / 2."""
    scale = Scale(power=0.5, track_means=(2.0, 1.0, 4.0), gene_moments=((1.0, 3.0), (5.0, 0.5)))
    outputs = replace(SIGNAL, scale=scale)
    counts = torch.tensor([9.0, 4.0, 16.0])
    trained = counts.sqrt() / torch.tensor([2.0, 1.0, 4.0])
    raw = trained.expm1().log()  # softplus is undone
    targets = torch.tensor([0.0, 1.0, -1.0, 2.0])  # standardised; both strands
    found = outputs.in_units(torch.cat([raw, targets])[None, None])[0, 0]
    torch.testing.assert_close(found[:3], counts)
    torch.testing.assert_close(found[3:], torch.tensor([1.0, 5.5, -2.0, 6.0]))
    plain = SIGNAL.in_units(torch.cat([raw, targets])[None, None])[0, 0]
    torch.testing.assert_close(plain, torch.cat([trained, targets]))


def test_bases_are_log_probabilities() -> None:
    scores = torch.randn(2, 5, 4)
    units = Outputs.of_bases().in_units(scores)
    torch.testing.assert_close(units.exp().sum(-1), torch.ones(2, 5))
    torch.testing.assert_close(units, scores - scores.logsumexp(-1, keepdim=True))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"row": "gene"}, "row must be one of base, bin, token, window; got 'gene'"),
        ({"activation": "relu"}, "activation must be one of none, softplus, log-softmax; got"),
        ({"names": ("a", "a")}, "outputs names a more than once; every output must appear once"),
        ({"gene_targets": ("mnase",)}, "outputs names mnase more than once"),
        ({"resolution": 0}, "resolution must be at least 1; got 0"),
        ({"margin": -1}, "margin must be at least 0; got -1"),
        ({"names": (), "gene_targets": ()}, "outputs must name at least one output; got none"),
        (
            {"scale": Scale(power=1.0, track_means=(1.0, 1.0))},
            "a mean for each of 3 names and moments for each of 2 gene targets; got 2 and 0",
        ),
        ({"upstream": (1,)}, "upstream must have an entry for each of 3 names; got 1"),
    ],
)
def test_outputs_that_mean_nothing_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CisgramError, match=sentence):
        Outputs(**{**vars(SIGNAL), **changes})


def test_a_geometry_says_how_many_rows_there_are() -> None:
    geometry = Geometry(window=128, resolution=4, margin=16)
    assert (geometry.predicted, geometry.n_rows) == (96, 24)
    for window, sentence in ((126, "multiple of 4 bases"), (32, "longer than the 32 that are")):
        with pytest.raises(ConfigError, match=sentence):
            Geometry(window=window, resolution=4, margin=16)


def test_a_kind_of_data_set_has_one_name() -> None:
    def build_other() -> None:
        return None

    with pytest.raises(ConfigError, match="a data set of kind corpus already; choose another name"):
        dataset("corpus", Geometry, opens=data_kind("corpus", "[data]").open)(build_other)
    with pytest.raises(ConfigError, match=r"kind in \[data\] must be one of corpus, tracks; got"):
        data_kind("x", "[data]")
