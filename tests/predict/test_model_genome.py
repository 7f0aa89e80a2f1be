from pathlib import Path
from typing import Any

import pytest

from cisgram.core.checks import ConfigError
from cisgram.predict.model_genome import GenomeOptions, model_annotation, open_model_genome

YEAST = {"genome": "yeast-r64"}


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_the_genome_is_the_cards_where_none_is_named() -> None:
    assert open_model_genome(YEAST).name == "yeast-r64"


def test_the_genome_that_is_named_goes_before_the_cards(tmp_path: Path) -> None:
    fasta = tmp_path / "own.fa"
    fasta.write_text(">a\nACGT\n")
    assert open_model_genome(YEAST, GenomeOptions(genome=str(fasta))).contigs == {"a": 4}
    assert len(open_model_genome({}, GenomeOptions(genome="yeast-r64")).contigs) == 16


@pytest.mark.parametrize(
    ("card", "genome", "annotation", "expected"),
    [
        (YEAST, None, None, "yeast-r64"),
        ({}, "yeast-r64", None, "yeast-r64"),
        ({"genome": "moon"}, "yeast-r64", None, "yeast-r64"),
        (YEAST, None, "own.gff3", "own.gff3"),
        (YEAST, "own.fa", "own.gff3", "own.gff3"),
        (YEAST, "own.fa", "yeast-r64", "yeast-r64"),
    ],
)
def test_a_packaged_genome_brings_its_genes(
    card: dict[str, Any], genome: str | None, annotation: str | None, expected: str
) -> None:
    options = GenomeOptions(genome=genome, annotation=annotation)
    assert model_annotation(card, options) == expected


def test_the_cards_genes_are_not_taken_for_those_of_another_genome() -> None:
    with pytest.raises(ConfigError, match=r"own\.fa comes without genes; add --annotation"):
        model_annotation(YEAST, GenomeOptions(genome="own.fa"))


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({}, "does not say which genome it is of; add --genome, a FASTA or yeast-r64"),
        ({"genome": "moon"}, "is of the genome moon, which is not in the package; add --genome"),
    ],
)
def test_a_model_without_a_genome_asks_for_one(card: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_model_genome(card)
    with pytest.raises(ConfigError, match=message):
        model_annotation(card)
