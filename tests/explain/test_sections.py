"""Sections: what stands out, in sentences and tables of right numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from cisgram.explain.attribute import Agreement, Attributions
from cisgram.explain.contributions import Contributions
from cisgram.explain.gradients import Attribution
from cisgram.explain.hits import find_motifs
from cisgram.explain.motifs import Motif
from cisgram.explain.mutants import Recomputation
from cisgram.explain.mutate import Mutations
from cisgram.explain.sections import (
    Section,
    attribution_section,
    contrast_sites,
    motif_section,
    mutation_section,
    signal_section,
    strongest_changes,
)
from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.plot.sites import Site
from cisgram.prediction.signal import Signal

SITES = [Site("Reb1", Interval("c0", 102, 103)), Site("no", Interval("c1", 0, 9))]


def mutations(strand: str = "+") -> Mutations:
    """A to T weighs -0.5 at the base 102 of the chromosome, A to C 0.2 at another; N is last."""
    effects = np.zeros((20, 4, 2), np.float32)
    effects[2 if strand == "+" else 17, 3, 0], effects[5, 1, 0] = -0.5, 0.2
    effects[..., 1] = -effects[..., 0]
    effects[19] = np.nan
    tokens = np.zeros(20, np.uint8)
    tokens[19] = 4
    return Mutations(
        region=Interval("c0", 100, 120, strand),
        subject="LEF1",
        tokens=tokens,
        outputs=("worth", "age"),
        output="worth",
        all_effects=effects,
        reference=np.zeros(2, np.float32),
        account=Recomputation(n_mutants=57),
    )


@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_strongest_changes_are_named_by_position_and_site(strand: str) -> None:
    first, second = strongest_changes(mutations(strand), sites=SITES).rows()
    assert first == (103, "A>T", -0.5, "Reb1")
    place = 106 if strand == "+" else 115
    assert second == (place, "A>C", pytest.approx(0.2), "")
    table = strongest_changes(replace(mutations(strand), output="age"), n=1)
    assert table.columns == ["position", "change", "effect"]
    assert table.row(0) == (103, "A>T", 0.5)


@pytest.mark.parametrize(("strand", "means"), [("+", (1.5, 4.0)), ("-", (4.0, 1.5))])
def test_known_sites_are_compared_with_the_rest(strand: str, means: tuple[float, ...]) -> None:
    sizes = np.array([1, 2, np.nan, 4], np.float32)
    sites = [Site("a", Interval("c0", 90, 101)), Site("b", Interval("c0", 100, 102, "-"))]
    region = Interval("c0", 100, 104, strand)
    found = contrast_sites(sizes, region, sites)
    assert (found["in_sites"], found["elsewhere"]) == pytest.approx(means)
    without = contrast_sites(sizes, region, SITES[1:])
    assert np.isnan(without["in_sites"])
    assert without["elsewhere"] == pytest.approx(7 / 3)


def test_mutagenesis_in_words() -> None:
    section = mutation_section(mutations(), sites=SITES)
    assert section.sentence == (
        "Of 57 changes of c0:101-120(+), A>T at c0:103 has the strongest effect on worth of LEF1: "
        "-0.5000. The strongest change of a base has an absolute effect of 0.500 on average in "
        "known sites, 0.011 elsewhere."
    )
    assert "Violet" in section.caption
    assert section.facts is not None
    assert section.facts["strongest"][0]["site"] == "Reb1"
    plain = mutation_section(mutations())
    assert plain.sentence.endswith("-0.5000.")
    assert "Violet" not in plain.caption
    still = replace(mutations(), all_effects=0 * mutations().all_effects)
    nothing = mutation_section(still)
    assert nothing.sentence == "No change of c0:101-120(+) has an effect."
    assert nothing.table is not None
    assert nothing.table.is_empty()


def attributions(strand: str = "-", gap: float | None = None) -> Attributions:
    """The base 102 of the chromosome contributes -3."""
    tokens, own = encode("GATTN"), np.array([1, -0.5, -3, 0, np.nan], np.float32)
    hypothetical = np.tile(own[:, None], (1, 4))
    window = Attribution(
        hypothetical=hypothetical, tokens=tokens, reference=1.0, completeness_gap=gap
    )
    return Attributions(
        region=Interval("c0", 100, 105, strand),
        subject="LEF1",
        output="worth",
        tokens=tokens,
        contributions=own,
        hypothetical=hypothetical,
        method="integrated gradients" if gap else "gradient times input",
        window=window,
        n_steps=20 if gap else 0,
    )


def test_attribution_in_words() -> None:
    section = attribution_section(attributions(), Agreement(0.914, -0.2), sites=SITES)
    assert section.sentence == (
        "Of 5 bases, T at c0:103 contributes most to worth of LEF1: -3.0000, by gradient times "
        "input. Absolute contributions are 3.000 on average in known sites, 0.500 elsewhere. Their "
        "correlation with mutagenesis is 0.91 over bases and -0.20 over changes."
    )
    assert "its gradient less the mean gradient of the four bases" in section.caption
    assert section.facts is not None
    assert section.facts["agreement"] == {"bases": 0.914, "changes": -0.2}
    steps = attribution_section(attributions(gap=-0.01))
    assert "difference from the baseline but for -0.0100." in steps.sentence
    assert "20 steps" in steps.caption
    assert "agreement" not in (steps.facts or {})


def test_motifs_in_words() -> None:
    motif, rng = Motif.from_consensus("REB1", "TTACCCGG"), np.random.default_rng(1)
    dna = "".join(rng.choice(list("ACGT"), 30)) + "CCGGGTAA" + "GATTACA"
    tokens = encode(dna)
    scores = rng.normal(0, 0.01, (len(dna), 4)).astype(np.float32)
    scores[np.arange(30, 38), tokens[30:38]] += 1
    scores -= scores.mean(axis=1, keepdims=True)
    found = Contributions(
        region=Interval("c0", 1_000, 1_000 + len(dna)),
        subject="LEF1",
        output="worth",
        tokens=tokens,
        contributions=scores[np.arange(len(dna)), tokens],
        hypothetical=scores,
        method="in-silico mutagenesis",
    )
    absent = Motif.from_consensus("none", "ACGTACGTACGT")
    hits = find_motifs(found, [motif, absent])
    section = motif_section(found, hits, n_motifs=2)
    assert section.sentence.startswith(
        f"The DNA of {found.region} has 1 hit of 1 of 2 motifs. Contributions to worth of LEF1 "
        "match REB1 best, at c0:1,031-1,038(-): a cosine of +1.00, higher than at 98.7% of "
    )
    assert section.table is not None
    assert section.table.columns == ["motif", "place", "cosine", "percentile"]
    name, place, cosine, percentile = section.table.row(0)
    assert (name, place) == ("REB1", "c0:1,031-1,038(-)")
    assert cosine == hits["match"][0] > 0.9
    assert percentile == pytest.approx(100 * hits["match_above"][0])
    assert "<!-- ◂ REB1 -->" in section.svg
    against = motif_section(found, hits.with_columns(match_above=pl.lit(0.9)), n_motifs=2)
    assert against.table is not None
    assert against.table.is_empty()
    assert "REB1" not in against.svg
    nothing = motif_section(found, hits.clear(), n_motifs=2)
    assert nothing.sentence == f"The DNA of {found.region} has 0 hits of 0 of 2 motifs."


@pytest.mark.parametrize(
    ("resolution", "strand", "said"),
    [
        (1, "+", "the base at c0:103: 1,234.57"),
        (4, "+", "the 4 bases at c0:109: 1,234.57"),
        (4, "-", "the 4 bases at c0:104: 1,234.57"),
    ],
)
def test_signal_in_words(resolution: int, strand: str, said: str) -> None:
    values = np.array([[1, 9_999], [2, 0], [1_234.567, 1]], np.float32)
    region = Interval("c0", 100, 100 + 3 * resolution, strand)
    found = Signal(region=region, resolution=resolution, names=("rna+", "b"), values=values)
    section = signal_section(found, marked=Interval("c0", 100, 101))
    assert section.sentence == f"rna+ is highest in {said}."
    assert "Grey" in section.caption
    assert "Grey" not in signal_section(found).caption


@pytest.mark.parametrize("parts", [(), ("arrays",), ("table",), ("arrays", "table")])
def test_files_are_those_that_are_named(tmp_path: Path, parts: tuple[str, ...]) -> None:
    more: dict[str, Any] = {}
    if "arrays" in parts:
        more["write_arrays"] = lambda out: np.savez(out, a=np.ones(2))
    if "table" in parts:
        more["full_table"] = pl.DataFrame({"a": [0.5]})
    section = Section(name="it", title="", sentence="", draw=Figure, caption="", **more)
    section.write(tmp_path)
    stem, *ends = section.files.split(", ")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [stem, *(f"it{end}" for end in ends)]
    )
    assert len(ends) == len(parts)
    assert (tmp_path / "it.svg").read_text() == section.svg
