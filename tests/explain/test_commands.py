"""`cisgram explain ism`, `attribute`, `signal` and `motifs`: files, figures and sentences."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.cli.app import main
from cisgram.explain.attribute import attribute
from cisgram.explain.contributions import Contributions
from cisgram.explain.hits import find_motifs
from cisgram.explain.motifs import Motif
from cisgram.explain.mutate import mutate
from cisgram.genome.interval import Interval
from cisgram.prediction.session import Session
from cisgram.prediction.signal import predict_signal
from prediction.toy_session import GENES, gene_model, write_model

REGION = "c0:581-600(-)"


@pytest.fixture(scope="module")
def files(place: Path) -> Path:
    """The directory of the genome, the model and sites."""
    write_model(place, gene_model())
    (place / "sites.bed").write_text("c0\t590\t596\tTATA box\t0\t-\n")
    return place


@pytest.fixture
def here(files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(files)
    return files


def explain(command: str, *more: str) -> int:
    name, _, options = command.partition(" ")
    genome = "--genome toy.fa --annotation genes.gff3"
    return main(["explain", name, "--model", "model", *genome.split(), *options.split(), *more])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_effects_are_written_drawn_and_summed_up(
    here: Path, toy: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing = "--figure m.png --sites sites.bed"
    assert explain(f"ism --region {REGION} --gene LEF1 --output word+ --out m.npz {drawing}") == 0
    expected = mutate(toy, REGION, gene="left", output="word+")
    with np.load(here / "m.npz") as arrays:
        np.testing.assert_allclose(arrays["effects"], expected.effects, rtol=1e-3, atol=1e-6)
        assert arrays["all_effects"].shape == (20, 4, 4)
    at, base = np.unravel_index(np.abs(expected.effects).argmax(), (20, 4))
    change = f"{'ACGT'[expected.tokens[at]]}>{'ACGT'[base]} at c0:{600 - at}"
    effect = f"{expected.effects[at, base]:+.4f}"
    printed = said(capsys)
    assert f"Of 60 changes of {REGION}, {change} has the strongest effect on word+ of LEF1: " in (
        printed
    )
    assert effect in printed
    assert printed.endswith("elsewhere. Effects are in m.npz.")
    assert (here / "m.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("steps", [None, 3])
def test_contributions_are_written_drawn_and_summed_up(
    here: Path, toy: Session, capsys: pytest.CaptureFixture[str], steps: int | None
) -> None:
    more = [] if steps is None else ["--steps", str(steps)]
    command = f"attribute --region {REGION} --gene left --output word+ --out a.npz --figure a.svg"
    assert explain(command, *more) == 0
    expected = attribute(toy, REGION, gene="left", output="word+", n_steps=steps)
    found = Contributions.read(here / "a.npz")
    np.testing.assert_allclose(found.hypothetical, expected.hypothetical, rtol=1e-3, atol=1e-7)
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    at = np.abs(found.contributions).argmax()
    printed, base = said(capsys), "ACGT"[found.tokens[at]]
    assert f"Of 20 bases, {base} at c0:{600 - at} contributes most to word+ of LEF1: " in printed
    assert ("add up to its difference" in printed) == (steps is not None)
    method = "gradient times input" if steps is None else "integrated gradients"
    assert f"<!-- {REGION}: word+ of LEF1, by {method} -->" in (here / "a.svg").read_text()


def test_sites_that_cannot_be_read_leave_no_file(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("ism", "attribute"):
        options = f"--region {REGION} --out new.npz --figure new.svg --sites genes.gff3"
        assert explain(f"{command} {options}") == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not list(here.glob("new.*"))


def test_signal_is_written_and_drawn(
    here: Path, toy: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain("signal --gene LEF1 --out s.npz --figure s.svg --sites sites.bed") == 0
    printed = said(capsys)
    assert printed == "c0:573-668: 24 rows of 4 bases, 3 outputs, in s.npz and s.svg."
    (expected,) = predict_signal(toy, [Interval("c0", 572, 668)], toy.reference)
    with np.load(here / "s.npz") as arrays:
        np.testing.assert_allclose(arrays["signal"], expected.values, rtol=1e-4)
        assert arrays["names"].tolist() == ["word+", "word-", "both"]
        assert str(arrays["region"]) == "c0:573-668"
    drawn = (here / "s.svg").read_text()
    for name in ("LEF1", "TATA box", "word", "both"):
        assert f"<!-- {name} -->" in drawn
    assert GENES["right"].start > 668
    assert "right" not in drawn
    assert explain("signal --region c0:701-708(-) --out s.npz") == 0
    assert said(capsys) == "c0:701-708(-): 2 rows of 4 bases, 3 outputs, in s.npz."


@pytest.mark.parametrize("kind", ["ism", "attribute"])
def test_motifs_are_found_in_what_the_others_wrote(
    here: Path, toy: Session, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    verb = mutate if kind == "ism" else attribute
    found = verb(toy, REGION, gene="left")
    contributions = found if isinstance(found, Contributions) else found.contributions
    found.write_arrays(here / "c.npz")
    (here / "m.jaspar").write_text(
        ">M1 AnyA\nA [ 20 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n>M2 NoSite\n"
        + "".join(f"{base} [ {' '.join(['20' if base == 'C' else '0'] * 12)} ]\n"
                  for base in "ACGT")
    )  # fmt: skip
    command = "explain motifs --contributions c.npz --motifs m.jaspar --out h.tsv --figure h.svg"
    assert main(command.split()) == 0
    table = pl.read_csv(here / "h.tsv", separator="\t")
    assert table.columns == [
        *("motif", "accession", "chrom", "start", "end", "strand", "score"),
        *("importance", "importance_above", "match", "match_above"),
    ]
    # Along strand - the last base is the one at 580.
    for strand, token in (("-", 0), ("+", 3)):
        starts = table.filter(strand=strand)["start"].to_numpy()
        assert sorted(599 - starts) == np.flatnonzero(contributions.tokens == token).tolist()
    first = table.row(0, named=True)
    at = 599 - first["start"]
    assert first["importance"] == pytest.approx(abs(contributions.contributions[at]), rel=1e-3)
    assert (first["motif"], first["accession"]) == ("AnyA", "M1")
    printed = said(capsys)
    assert printed.startswith(f"The DNA of {REGION} has {table.height} hits of 1 of 2 motifs. ")
    assert f"match AnyA best, at c0:{first['start'] + 1}-{first['end']}({first['strand']}): " in (
        printed
    )
    assert printed.endswith("Hits are in h.tsv.")
    matched = table.filter(pl.col("match_above") >= 0.95).height > 0
    assert ("AnyA" in (here / "h.svg").read_text()) == matched


def test_rare_motifs_need_a_high_p_value(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contributions = attribute_of_dna()
    contributions.write_arrays(here / "d.npz")
    (here / "reb1.meme").write_text(
        "MEME version 5\n\nMOTIF A1 REB1\nletter-probability matrix: w= 8 nsites= 100\n"
        + "".join(" ".join("1" if own == base else "0" for base in "ACGT") + "\n"
                  for own in "TTACCCGG")
    )  # fmt: skip
    command = "explain motifs --contributions d.npz --motifs reb1.meme --out r.tsv --p-value"
    heights = []
    for p_value in ("0.0001", "0.05"):
        assert main([*command.split(), p_value]) == 0
        heights.append(pl.read_csv(here / "r.tsv", separator="\t").height)
    assert heights[0] == 1 < heights[1]
    expected = find_motifs(contributions, [Motif.from_consensus("REB1", "TTACCCGG")])
    assert f"match REB1 best, at {expected['chrom'][0]}:5-12(+)" in said(capsys)
    assert main([*command.split(), "2"]) == 2


def attribute_of_dna() -> Contributions:
    """Contributions of DNA with one REB1 in it, which they prefer."""
    rng = np.random.default_rng(2)
    tokens = rng.integers(0, 4, 60).astype(np.uint8)
    tokens[4:12] = ["ACGT".index(base) for base in "TTACCCGG"]
    scores = rng.normal(0, 0.01, (60, 4)).astype(np.float32)
    scores[np.arange(4, 12), tokens[4:12]] += 1
    return Contributions(
        region=Interval("c0", 0, 60),
        subject="g",
        output="worth",
        tokens=tokens,
        contributions=scores[np.arange(60), tokens],
        hypothetical=scores,
        method="in-silico mutagenesis",
    )
