"""`import cisgram`: what it costs, and that what it gives keeps its promises."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import nn

import cisgram
from cisgram.core.checks import CisgramError
from cisgram.core.results import Result
from cisgram.explain.insertion_sites import InsertConfig

DNA = "ACGT" * 50
HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
IMPORT_SECONDS = 0.1
WATCH = """
import json, sys, time
started = time.process_time()
import cisgram
seconds = time.process_time() - started
print(json.dumps([seconds, sorted(sys.modules), dir(cisgram)]))
"""


class Network(nn.Module):
    """A network of somebody else, caught while it is trained with part of it frozen."""

    def __init__(self, *, channels_last: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.channels_last = channels_last
        self.conv = nn.Conv1d(4, 3, 7, padding=3)
        self.norm = nn.BatchNorm1d(3)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(3, 2)
        self.norm.eval().requires_grad_(requires_grad=False)
        self.conv.bias.requires_grad_(requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.channels_last:
            x = x.transpose(1, 2)
        return self.head(self.drop(self.norm(self.conv(x)).relu().amax(dim=2)))


def state_of(network: nn.Module) -> dict[str, Any]:
    return {
        "flags": [module.training for module in network.modules()],
        "trained": [value.requires_grad for value in network.parameters()],
        "values": {name: value.tolist() for name, value in network.state_dict().items()},
    }


def wrapped(**changes: Any) -> cisgram.LoadedModel:
    return cisgram.wrap(Network(), **{"outputs": ["a", "b"], "window": 200} | changes)


@pytest.fixture(scope="module")
def language_model() -> cisgram.LoadedModel:
    return cisgram.load("cisgram/yeast-lm")


def test_importing_loads_nothing_and_is_quick() -> None:
    found: list[float] = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", WATCH], capture_output=True, text=True, check=True
        )
        seconds, modules, names = json.loads(done.stdout)
        found.append(seconds)
        heavy = {"numpy", "scipy", "numba", "polars", "torch", "matplotlib", "rich", "cyclopts"}
        assert not heavy & set(modules)
        assert names == sorted([*cisgram.__all__, "__version__"])
    assert min(found) < IMPORT_SECONDS


def test_every_public_name_is_there_and_described() -> None:
    for name in cisgram.__all__:
        assert inspect.getdoc(getattr(cisgram, name)), name
    with pytest.raises(AttributeError, match="module 'cisgram' has no attribute 'frobnicate'"):
        _ = cisgram.frobnicate  # type: ignore[attr-defined]


def test_both_packaged_models_score_the_variants_of_a_file(
    tmp_path: Path, language_model: cisgram.LoadedModel
) -> None:
    vcf = tmp_path / "one.vcf"
    vcf.write_text(f"{HEADER}chrXIV\t187960\t.\tA\tG\t.\t.\t.\n")
    of_genes = cisgram.load("cisgram/yeast-expression").score_variants(vcf)
    assert of_genes.columns == ["chrom", "pos", "ref", "alt", "gene", "name", "output", "effect"]
    assert set(of_genes.table["gene"]) == {"YNL243W", "YNL244C"}
    of_bases = language_model.score_variants(vcf)
    assert of_bases.columns == ["chrom", "pos", "ref", "alt", "output", "effect"]
    assert of_bases.table.row(0)[:5] == ("chrXIV", 187960, "A", "G", "log_ratio")
    same = cisgram.score_variants(language_model, vcf)
    assert same.table.equals(of_bases.table)


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
def test_mutants_of_any_network_are_those_of_a_naive_loop(layout: Any) -> None:
    network = Network(channels_last=layout == "channels-last")
    before = state_of(network)
    assert len(set(before["flags"])) == len(set(before["trained"])) == 2
    model = cisgram.wrap(network, outputs=["a", "b"], window=200, layout=layout)
    found = model.mutate(DNA).all_effects
    assert state_of(network) == before
    expected = np.zeros((200, 4, 2), dtype=np.float32)
    network.eval()
    with torch.no_grad():
        of_dna = network(one_hot(DNA, layout))[0]
        for position in range(200):
            for number, base in enumerate("ACGT"):
                mutant = DNA[:position] + base + DNA[position + 1 :]
                expected[position, number] = network(one_hot(mutant, layout))[0] - of_dna
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected).max() > 0.01
    network.train()(one_hot(DNA, layout).repeat(2, 1, 1)).sum().backward()
    gradients = [value.grad is not None for value in network.parameters()]
    assert gradients == before["trained"]


def one_hot(dna: str, layout: str) -> torch.Tensor:
    bases = F.one_hot(torch.tensor(["ACGT".index(base) for base in dna]), 4).float()[None]
    return bases.transpose(1, 2) if layout == "channels-first" else bases


def variant() -> pl.DataFrame:
    return pl.DataFrame({"chrom": "chrXIV", "start": 187959, "ref": "A", "alt": "G"})


INSERTED = InsertConfig(distances=(0,), n_backgrounds=2, n_nulls=2)
VERBS: dict[str, Callable[[cisgram.LoadedModel], Result]] = {
    "predict": lambda model: model.predict([DNA, DNA[1:] + "A"]),
    "embed": lambda model: model.embed([DNA, DNA[1:] + "A", "A" * 200]),
    "score_variants": lambda model: model.score_variants(variant()),
    "mutate": lambda model: model.mutate("chrI:1001-1004"),
    "attribute": lambda model: model.attribute("chrI:1001-1010"),
    "insert": lambda model: model.insert(
        [cisgram.Motif.from_consensus("TATA", "TATAAA")], DNA, config=INSERTED
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_result_is_a_table_a_figure_and_a_page(verb: str) -> None:
    result = VERBS[verb](wrapped(genome="yeast-r64"))
    assert isinstance(result.plot(), Figure)
    assert result.table.height == len(result) > 0
    html = result._repr_html_()
    assert "<svg" in html
    assert result.columns[0] in html
    pytest.importorskip("pandas")
    frame = result.to_pandas()
    assert list(frame.columns) == result.columns
    for name in result.columns:
        np.testing.assert_array_equal(frame[name].to_numpy(), result.table[name].to_numpy())


class Summed(nn.Module):
    """Has no parameters and returns two things."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.sum(dim=2), x.mean(dim=2)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: cisgram.load("cisgram/none"), "there is no model 'cisgram/none'; name a direct"),
        (lambda: cisgram.predict(Network(), DNA), "a plain Network is no model of cisgram; wrap"),
        (
            lambda: cisgram.wrap(Summed(), outputs=[*"acgt"], window=200),
            "the network returns 2 outputs; name one by select, 0 to 1",
        ),
        (lambda: wrapped(outputs=["a"]), "there are 1 names of outputs; name every output"),
        (lambda: wrapped(layout="channels-last"), r"does not take windows of shape \(1, 200, 4\)"),
        (lambda: cisgram.wrap(nn.Linear, outputs=["a"], window=9), "must be a torch.nn.Module"),
        (lambda: wrapped().predict(DNA + "A"), "has 201 bases and Network reads 200; cut it"),
        (lambda: wrapped().predict("ACGZ" * 50), "all be DNA of A C G T N, or .* got 'ACGZACGZ"),
        (lambda: wrapped().predict(DNA, "masked"), "readout must be one of outputs, embedding-di"),
        (lambda: wrapped().predict(genes=["SLA2"]), "does not say which genome it is of; add"),
        (lambda: wrapped().mutate(DNA, output="c"), "output must be one of a, b; got 'c'"),
        (lambda: wrapped().embed(DNA, layer="x"), "has no layer 'x'; it has module.conv, module"),
        (lambda: wrapped().score_variants(variant()), "does not say which genome it is of; add"),
    ],
)
def test_errors_are_one_sentence(ask: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(CisgramError, match=sentence) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_a_verb_without_a_meaning_for_the_model_says_so(
    language_model: cisgram.LoadedModel,
) -> None:
    with pytest.raises(CisgramError, match="attribution needs a readout of the model's output"):
        language_model.attribute("chrI:1001-1010")
    with pytest.raises(CisgramError, match="predicts nothing of genes; use a model of tracks"):
        language_model.predict(DNA, "gene")


def test_a_network_without_parameters_is_a_model() -> None:
    model = cisgram.wrap(Summed(), outputs=[*"acgt"], window=200, select=1)
    assert model.predict(DNA).table.row(0)[5:] == pytest.approx((0.25,) * 4)
    assert model.mutate(DNA).effects[0].tolist() == pytest.approx([0, -1 / 200, -1 / 200, -1 / 200])
