"""In-silico mutagenesis of regions, against mutants that are read one by one."""

import importlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError
from cisgram.core.journal import Journal, Record
from cisgram.explain.mutants import Recomputation
from cisgram.explain.mutate import Mutations, mutate, mutate_resumably, mutate_subject
from cisgram.explain.subject import find_subject
from cisgram.genome.alphabet import N, decode, encode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.prediction.sequences import Windows
from cisgram.prediction.session import Session
from cisgram.prediction.variants import score_variants
from explain.networks import mirror
from prediction.toy_session import GENES, MODELS, WINDOW, language_model, session, window_model

COMPLEMENT = dict(zip("ACGT", "TGCA", strict=True))
CLOSE = {"rtol": 1e-2, "atol": 2e-5}
module = importlib.import_module("cisgram.explain.mutate")


@pytest.mark.parametrize(("gene", "start"), [("left", 590), ("right", 762)])
@pytest.mark.parametrize("strand", [".", "-"])
def test_effects_are_those_of_variants(toy: Session, gene: str, start: int, strand: str) -> None:
    region = Interval("c0", start, start + 6, strand)
    found = mutate(toy, region, gene=gene)
    assert (found.outputs, found.output) == (("worth", "age", "word+", "both"), "worth")
    bases = decode(toy.reference.contig("c0"))
    rows = [
        ("c0", at, bases[at], alt)
        for at in range(start, start + 6)
        for alt in "ACGT"
        if alt != bases[at]
    ]
    variants = pl.DataFrame(rows, schema=["chrom", "start", "ref", "alt"], orient="row")
    scores = score_variants(toy, variants, genes={gene: GENES[gene]}).effects
    expected = np.zeros((6, 4, 4), np.float32)
    for (_, at, _, alt), effect in zip(rows, scores, strict=True):
        expected[at - start, "ACGT".index(alt)] = effect
    if strand == "-":
        expected = expected[::-1, ::-1]
    np.testing.assert_allclose(found.all_effects, expected, **CLOSE)
    own = toy.reference.contig("c0")[start : start + 6]
    np.testing.assert_array_equal(found.tokens, reverse_complement(own) if strand == "-" else own)
    assert abs(found.all_effects).max(axis=(0, 1)).min() > 1e-4
    assert found.account.n_mutants == 18


READOUTS = [
    ("tracks", "tracks"),
    ("tracks", "mean"),
    ("genes", "embedding-distance"),
    ("window", "outputs"),
    ("window", "embedding-distance"),
    ("bases", "pseudo-likelihood"),
    ("bases", "embedding-distance"),
]


@pytest.mark.parametrize(("kind", "readout"), READOUTS)
def test_every_readout_is_read_of_every_mutant(place: Path, kind: str, readout: str) -> None:
    own = session(MODELS[kind](), place)
    subject = find_subject(own, "c0:601-604(-)", readout)
    found = mutate_subject(subject)
    start, _ = subject.bounds
    for offset in range(4):
        at = start + offset
        rows = np.repeat(subject.tokens[None], 4, axis=0)
        rows[:, at] = np.arange(4)
        span = [at, at + 1] if subject.readout.of_alleles else subject.span
        windows = Windows(rows, np.repeat(np.array([span]), 4, axis=0))
        kept = subject.readout.read(own.model, windows)
        expected = subject.readout.effect(kept, kept[subject.tokens[at]])
        np.testing.assert_allclose(found.all_effects[offset], expected, **CLOSE)
    assert np.nanmax(abs(found.all_effects)) > 1e-5
    assert found.outputs == subject.readout.outputs


def test_of_masked_bases_effects_are_those_of_variants(place: Path) -> None:
    own = session(language_model(), place)
    found = mutate(own, "c0:601-608(-)")
    changes = found.table.with_columns(
        pl.col("position") - 1,
        *(pl.col(name).replace_strict(COMPLEMENT) for name in ("ref", "alt")),
    ).rename({"position": "start"})
    scores = score_variants(own, changes.select("chrom", "start", "ref", "alt")).effects[:, 0]
    np.testing.assert_allclose(changes["effect"].to_numpy(), scores, rtol=1e-3, atol=1e-5)
    assert (found.outputs, found.account.n_mutants) == (("log_ratio",), 24)


def test_a_gene_of_the_other_strand_is_explained_alike(toy: Session, mirrored: Session) -> None:
    region = Interval("c0", 590, 600, "-")
    here, there = mutate(toy, region, gene="left"), mutate(mirrored, mirror(region), gene="left")
    np.testing.assert_array_equal(here.tokens, there.tokens)
    np.testing.assert_allclose(there.all_effects, here.all_effects, **CLOSE)


@pytest.mark.parametrize(
    ("kind", "readout", "kept"),
    [
        ("genes", "gene", "_KEPT"),
        ("bases", "masked", "_MASKED_KEPT"),
        ("bases", "pseudo-likelihood", "_POSITIONS_AT_ONCE"),
    ],
)
def test_interrupted_mutagenesis_goes_on_where_it_was(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, readout: str, kept: str
) -> None:
    subject = find_subject(session(MODELS[kind](), place), "c0:591-600(-)", readout)
    monkeypatch.setattr(module, kept, 4)
    whole = mutate_subject(subject)
    n_added: list[int] = []
    add = Journal.add

    def stops(journal: Journal, part: int, record: Record) -> None:
        if n_added == [0, 1]:
            raise KeyboardInterrupt
        add(journal, part, record)
        n_added.append(part)

    monkeypatch.setattr(Journal, "add", stops)
    with pytest.raises(KeyboardInterrupt), mutate_resumably(subject, tmp_path / "a.npz"):
        pass
    n_added.clear()
    n_added.append(-1)
    with mutate_resumably(subject, tmp_path / "a.npz") as found:
        assert (tmp_path / "a.npz.partial").exists()
    n_parts = 6 if kind == "genes" else 3  # on two strands, or on one
    assert n_added == [-1, *range(2, n_parts)]
    np.testing.assert_allclose(found.all_effects, whole.all_effects, **CLOSE)
    np.testing.assert_allclose(found.reference, whole.reference, **CLOSE)
    assert found.account.n_mutants == whole.account.n_mutants == 30
    assert list(tmp_path.iterdir()) == []


def test_dna_itself_is_mutated() -> None:
    dna = "ACGTTGCA" * 4 + "NN" + "GATTAC"
    found, turned = (mutate(window_model(), text) for text in (dna, revcomp(dna)))
    assert found.all_effects.shape == (WINDOW, 4, 2)
    np.testing.assert_array_equal(found.tokens, encode(dna))
    np.testing.assert_allclose(found.all_effects, turned.all_effects[::-1, ::-1], **CLOSE)
    unknown = encode(dna) == N
    np.testing.assert_array_equal(np.isnan(found.effects).all(axis=1), unknown)
    known = np.flatnonzero(~unknown)
    assert not found.effects[known, found.tokens[known]].any()
    for batch in (1, 7):
        again = mutate(window_model(), dna, batch=batch)
        np.testing.assert_allclose(again.all_effects, found.all_effects, **CLOSE)


def revcomp(dna: str) -> str:
    return decode(reverse_complement(encode(dna)))


def test_the_effects_of_one_output_are_chosen_by_name(toy: Session) -> None:
    found = mutate(toy, "c0:601-602", gene="LEF1", output="word+")
    assert (found.output, found.subject) == ("word+", "LEF1")
    np.testing.assert_array_equal(found.effects, found.all_effects[:, :, 2])
    np.testing.assert_array_equal(found.of("age"), found.all_effects[:, :, 1])
    with pytest.raises(ConfigError, match="output must be one of worth, age, word"):
        found.of("tss")


def by_hand() -> Mutations:
    """Effects on two outputs of AGN, read along the strand -."""
    effects = np.zeros((3, 4, 2), np.float32)
    effects[0, 1:, 0], effects[1, [0, 1, 3], 0] = [-0.3, -0.3, -0.6], [1, 2, 3]
    effects[..., 1] = 10 * effects[..., 0]
    effects[2] = np.nan
    return Mutations(
        region=Interval("c0", 100, 103, "-"),
        subject="g",
        tokens=np.array([0, 2, N], np.uint8),
        outputs=("a", "b"),
        output="a",
        all_effects=effects,
        reference=np.array([5, 6], np.float32),
        account=Recomputation(n_mutants=6),
    )


def test_a_base_contributes_minus_the_mean_of_its_changes() -> None:
    found = by_hand()
    np.testing.assert_allclose(found.contributions.contributions, [0.4, -2, np.nan], rtol=1e-6)
    hypothetical = found.contributions.hypothetical
    np.testing.assert_allclose(hypothetical[0], [0.3, 0, 0, -0.3], atol=1e-7)
    np.testing.assert_allclose(hypothetical[1], [-0.5, 0.5, -1.5, 1.5])
    assert np.isnan(hypothetical[2]).all()
    np.testing.assert_array_equal(found.to_tangermeme(), hypothetical.T[None])


def test_a_row_is_a_change_and_output() -> None:
    table = by_hand().table
    assert table.columns == ["chrom", "position", "ref", "alt", "output", "effect"]
    assert table.height == 2 * 6
    assert table.row(0) == ("c0", 103, "A", "C", "a", pytest.approx(-0.3))
    assert table.row(11) == ("c0", 102, "G", "T", "b", 30.0)


def test_arrays_and_figure_say_what_they_are(tmp_path: Path) -> None:
    found = by_hand()
    found.write_arrays(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as arrays:
        np.testing.assert_array_equal(arrays["effects"], found.effects)
        np.testing.assert_array_equal(arrays["all_effects"], found.all_effects)
        np.testing.assert_array_equal(arrays["all_reference"], [5, 6])
        np.testing.assert_array_equal(arrays["tokens"], found.tokens)
        said = [str(arrays[name]) for name in ("region", "subject", "output", "method")]
        assert said == ["c0:101-103(-)", "g", "a", "in-silico mutagenesis"]
        assert arrays["outputs"].tolist() == ["a", "b"]
    assert found.plot().axes[-1].get_ylabel() == "effect of the change on a"
    assert found.plot().get_suptitle() == "c0:101-103(-): a of g, by in-silico mutagenesis"
