"""Which gene, window and output a region is explained by."""

from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.subject import find_subject
from cisgram.genome.interval import Interval
from cisgram.prediction.session import Session
from prediction.toy_session import (
    GENES,
    gene_model,
    language_model,
    session,
    track_model,
    window_model,
)


def test_the_gene_whose_transcription_starts_nearest_is_read(toy: Session) -> None:
    for region, gene in (("c0:591-600", "left"), ("c0:741-745", "right"), ("c1:611-612", "far")):
        found = find_subject(toy, region)
        assert (found.gene, found.gene_body) == (gene, GENES[gene])
        assert found.readout.name == "gene"
    assert find_subject(toy, "c0:591-600").name == "LEF1"


def test_a_gene_lies_in_the_middle_of_its_window_along_its_strand(toy: Session) -> None:
    found = find_subject(toy, "c0:701-705", gene="right", output="age")
    assert found.window == Interval("c0", 730 - 64, 730 + 64, "-")
    assert found.span.tolist() == [34, 94]
    assert found.bounds == (730 + 64 - 705, 730 + 64 - 700)
    assert found.output == "age"
    np.testing.assert_array_equal(found.tokens[slice(*found.bounds)][::-1], 3 - found.region_tokens)


def test_without_genes_the_region_lies_in_the_middle(place: Path) -> None:
    for model, length, name in ((language_model(), 32, "masked"), (window_model(), 40, "outputs")):
        found = find_subject(session(model, place), "c0:601-604(-)")
        assert (found.readout.name, found.gene, found.name) == (name, "", "toy")
        assert found.window == Interval("c0", 602 - length // 2, 602 + length // 2, "-")
        assert found.span.tolist() == [0, length]
        with pytest.raises(ConfigError, match=f"the readout {name} is of no gene"):
            found.gene_body  # noqa: B018


def test_dna_needs_no_genome() -> None:
    found = find_subject(window_model(), "ACGT" * 10)
    assert (found.region, found.name) == (Interval("sequence1", 0, 40, "+"), "wrapped")
    assert found.region_tokens.tolist() == [0, 1, 2, 3] * 10


@pytest.mark.parametrize(
    ("region", "options", "message"),
    [
        ("c0:591-600", {"gene": "up"}, "has no gene up"),
        ("c0:591-600", {"output": "tss"}, "output must be one of worth, age, word"),
        ("c0:901-910", {"gene": "left"}, r"c0:901-910 reaches outside c0:557-684.* the gene; take"),
        ("c1:601-610", {"gene": "left"}, "reaches outside"),
        ("c0:1,951-2,050", {}, "reaches past the 2,000 bases of c0"),
        ("c0:591-600", {"readout": "tracks", "gene": "left"}, "tracks is of no gene; leave out"),
        ("c0:501-800", {"readout": "tracks"}, "reads around the middle of the region; take"),
        (["c0:1-9", "c0:21-29"], {}, "one region is explained at a time; got 2"),
        ("c0:591-600", {"readout": "masked"}, "readout must be one of gene, tracks, mean"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    toy: Session, region: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        find_subject(toy, region, **options)


def test_regions_of_unknown_bases_and_genomes_are_refused(place: Path) -> None:
    with pytest.raises(DataError, match="is N from end to end; name a region with known bases"):
        find_subject(window_model(), "N" * 40)
    with pytest.raises(ConfigError, match="lies on a genome and none is known; add --genome"):
        find_subject(window_model(), "c0:1-9")
    with pytest.raises(ConfigError, match="comes without genes; add --annotation"):
        find_subject(session(gene_model(), place, genes=False), "c0:591-600", "gene")
    alone = session(track_model(), place, genes=False)
    assert find_subject(alone, "c0:591-600").readout.name == "tracks"
