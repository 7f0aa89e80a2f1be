"""A gene explained in every way."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.attribute import attribute, compare_with_mutations
from cisgram.explain.gene import (
    GeneExplanation,
    Insertion,
    explain_gene,
    region_signal,
    signal_region,
)
from cisgram.explain.insertion_sites import InsertConfig
from cisgram.explain.motifs import Motif
from cisgram.explain.mutate import mutate
from cisgram.explain.sections import Section
from cisgram.genome.interval import Interval
from cisgram.plot.sites import Site
from cisgram.prediction.predict import predict
from cisgram.prediction.session import Session
from prediction.toy_session import GENES, language_model, session, track_model

REGION, SITES = "c0:591-600(-)", [Site("TATA", Interval("c0", 590, 596, "-"))]
TATA = Motif.from_consensus("TATA", "TATAAA")
CONFIG = InsertConfig(distances=(10,), n_backgrounds=1, n_nulls=1, promoter=30)


@pytest.fixture(scope="module")
def lm(place: Path) -> Session:
    return session(language_model(), place)


@pytest.fixture(scope="module")
def whole(toy: Session, lm: Session) -> GeneExplanation:
    """The gene LEF1 with everything."""
    return explain_gene(
        toy,
        REGION,
        gene="LEF1",
        output="word+",
        sites=SITES,
        motifs=[Motif.from_consensus("A", "A")],
        language_model=lm,
        insertion=Insertion(motifs=(TATA,), genes=("left", "right"), config=CONFIG),
    )


def section(found: GeneExplanation, name: str) -> Section:
    return next(own for own in found.sections if own.name == name)


def test_sections_stand_in_their_order(whole: GeneExplanation) -> None:
    names = [own.name for own in whole.sections]
    assert names == ["signal", "mutagenesis", "motifs", "attribution", "expected", "insertions"]
    assert (whole.gene, whole.name, whole.region) == ("left", "LEF1", REGION)
    assert (whole.model, whole.output, whole.units) == ("toy", "word+", "reads")
    assert whole.held_out.startswith("Its card does not say which DNA was held out")


def test_what_is_predicted_is_what_predict_says(toy: Session, whole: GeneExplanation) -> None:
    predicted = predict(toy, genes=["left"])
    assert tuple(whole.predictions) == predicted.outputs
    assert list(whole.predictions.values()) == pytest.approx(predicted.values[0].tolist())
    assert whole.level == whole.predictions["word+"]
    assert whole.headline == f"toy predicts word+ of LEF1 at {whole.level:,.2f}."


def test_sections_say_what_the_verbs_return(toy: Session, whole: GeneExplanation) -> None:
    options = {"gene": "left", "output": "word+"}
    mutations, found = mutate(toy, REGION, **options), attribute(toy, REGION, **options)
    agreement = compare_with_mutations(found, mutations)
    facts = section(whole, "attribution").facts
    assert facts is not None
    said = [facts["agreement"][name] for name in ("bases", "changes")]
    assert said == pytest.approx([agreement.bases, agreement.changes], abs=1e-3)
    sizes = np.abs(mutations.effects).max(axis=1)
    facts = section(whole, "mutagenesis").facts
    assert facts is not None
    # The site has the last six bases along strand -.
    assert facts["sites"]["in_sites"] == pytest.approx(sizes[4:].mean(), rel=1e-3)
    assert facts["sites"]["elsewhere"] == pytest.approx(sizes[:4].mean(), rel=1e-3)
    hits = section(whole, "motifs").full_table
    assert hits is not None
    # A is found on both strands; the region's last base along strand - is 590.
    minus = hits.filter(strand="-")["start"].to_numpy()
    assert sorted(599 - minus) == np.flatnonzero(mutations.tokens == 0).tolist()
    plus = hits.filter(strand="+")["start"].to_numpy()
    assert sorted(599 - plus) == np.flatnonzero(mutations.tokens == 3).tolist()
    expected = section(whole, "expected").facts
    assert expected is not None
    assert (expected["region"], expected["sites"][0]["name"]) == (REGION, "TATA")
    inserted = section(whole, "insertions").full_table
    assert inserted is not None
    assert inserted.select("motif", "distance", "n").row(0) == ("TATA", 10, 2)


def test_facts_are_what_json_can_hold(whole: GeneExplanation) -> None:
    plain = whole.plain()
    assert set(plain) == {
        *("model", "held_out", "gene", "name", "region", "output", "units", "predictions"),
        *("mutagenesis", "motifs", "attribution", "expected", "insertions"),
    }
    assert json.loads(json.dumps(plain))["gene"] == "left"


def test_without_more_there_are_three_sections(toy: Session) -> None:
    found = explain_gene(toy, "c0:701-702")
    assert [own.name for own in found.sections] == ["signal", "mutagenesis", "attribution"]
    assert (found.gene, found.output, found.units) == ("right", "worth", "log2 worth")


@pytest.mark.parametrize(
    ("gene", "region"),
    [
        ("left", "c0:573-668"),
        ("right", "c0:683-778"),
        ("first", "c0:17-112"),
        ("last", "c1:1,889-1,984"),
    ],
)
def test_signal_is_that_of_the_window_without_its_margins(
    toy: Session, gene: str, region: str
) -> None:
    found = signal_region(toy, GENES[gene])
    assert str(found) == region
    signal = region_signal(toy, found)
    assert signal.values.shape == (24, 3)
    assert gene.replace("left", "LEF1") in signal.genes


def test_genes_on_the_figure_are_those_that_overlap(toy: Session, place: Path) -> None:
    region = Interval("c0", 630, 720)
    assert region_signal(toy, region).genes == {"LEF1": GENES["left"], "right": GENES["right"]}
    assert region_signal(session(track_model(), place, genes=False), region).genes == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language_model": "toy"}, "toy predicts word.* and is no language model"),
        ({"output": "tss"}, "output must be one of worth, age, word"),
        (
            {"insertion": Insertion(motifs=(TATA,), config=replace(CONFIG, distances=(29,)))},
            "at a distance of 29 from the TSS reaches past the 30 bases",
        ),
    ],
)
def test_what_cannot_be_explained_is_refused_at_once(
    toy: Session, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("cisgram.explain.gene.region_signal", None)
    if "language_model" in options:
        options = {"language_model": toy}
    with pytest.raises((ConfigError, DataError), match=message):
        explain_gene(toy, REGION, gene="left", **options)


def test_a_model_of_no_gene_explains_none(lm: Session) -> None:
    with pytest.raises(ConfigError, match="predicts nothing of genes; use a model of tracks"):
        explain_gene(lm, REGION)
