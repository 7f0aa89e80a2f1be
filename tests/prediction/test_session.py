from pathlib import Path

import pytest
from torch import nn

from cisgram.core.checks import CisgramWarning, ConfigError, DataError
from cisgram.prediction.session import Session, as_session
from prediction.toy_session import GENES, gene_model, language_model, write_genome, write_model

YEAST = {"genome": "yeast-r64"}


def of_card(card: dict[str, object], **files: Path | str | None) -> Session:
    return Session(language_model(), name="lm", card=card, **files)


def test_the_genome_is_the_cards_where_none_is_named() -> None:
    session = of_card(YEAST)
    assert session.reference.name == "yeast-r64"
    assert session.genes.find(["SLA2"])["YNL243W"].chrom == "chrXIV"
    assert session.has_genes


def test_the_genome_that_is_named_goes_before_the_cards(tmp_path: Path) -> None:
    fasta = tmp_path / "own.fa"
    fasta.write_text(">a\nACGT\n")
    assert of_card(YEAST, genome=fasta).reference.contigs == {"a": 4}
    assert len(of_card({}, genome="yeast-r64").reference.contigs) == 16


def test_dna_of_no_genome_that_was_learnt_is_warned_of(tmp_path: Path) -> None:
    card = {"contigs": {"toy": write_genome(tmp_path).facts({"c0": "train"})}}
    assert of_card(card, genome=tmp_path / "toy.fa").reference.contigs["c2"] == 100
    (tmp_path / "moon.fa").write_text(">c0\nACGT\n")
    said = (
        r"No contig of .*moon.fa has the bases of one that lm is known .* \(toy\); its .* of toy\."
    )
    with pytest.warns(CisgramWarning, match=said):
        of_card(card, genome=tmp_path / "moon.fa").reference  # noqa: B018


def test_another_genome_comes_with_its_own_genes(tmp_path: Path) -> None:
    write_genome(tmp_path)
    first = of_card(YEAST)
    assert first.with_genome(None) is first
    other = first.with_genome(tmp_path / "reference", tmp_path / "genes.gff3")
    assert type(other) is Session
    assert other.model is first.model
    assert set(other.genes.places) == set(GENES)
    alone = first.with_genome(tmp_path / "reference")
    assert not alone.has_genes
    with pytest.raises(ConfigError, match=r"reference comes without genes; add --annotation"):
        alone.genes  # noqa: B018


def test_files_are_parsed_once(tmp_path: Path) -> None:
    write_genome(tmp_path)
    session = of_card({}, genome=tmp_path / "reference", annotation=tmp_path / "genes.gff3")
    assert session.genes is session.genes
    assert session.reference is session.reference is session.genes.reference
    assert session.genes.find("LEF1") == {"left": GENES["left"]}


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({}, "does not say which genome it is of; add --genome, a FASTA or yeast-r64"),
        ({"genome": "moon"}, "is of the genome moon, which is not in the package; add --genome"),
    ],
)
def test_a_model_without_a_genome_asks_for_one(card: dict[str, object], message: str) -> None:
    session = of_card(card)
    assert session.known_reference is None
    assert not session.has_genes
    with pytest.raises(ConfigError, match=message):
        session.reference  # noqa: B018
    with pytest.raises(ConfigError, match=message):
        session.genes  # noqa: B018


def test_models_are_opened_by_their_names(tmp_path: Path) -> None:
    path = write_model(tmp_path, language_model(), genomes={"moon": "0", "mars": "1"})
    session = Session.open(path, species="mars")
    assert (session.name, session.species, session.card["genomes"]) == (
        str(path),
        1,
        {"moon": "0", "mars": "1"},
    )
    assert not session.model.training
    with pytest.raises(ConfigError, match="species must be one of moon, mars; got 'venus'"):
        Session.open(path, species="venus")
    with pytest.raises(DataError, match=r"no model '.*/none'; name a directory .* cisgram/yeast"):
        Session.open(tmp_path / "none")


def test_verbs_take_sessions_models_and_names(tmp_path: Path) -> None:
    session = of_card({})
    assert as_session(session) is session
    assert as_session(gene_model()).name == "shorkie"
    assert as_session(write_model(tmp_path, gene_model())).outputs == gene_model().outputs


def test_a_plain_network_is_to_be_wrapped() -> None:
    with pytest.raises(ConfigError, match=r"a plain Linear is no model .* cisgram\.wrap\(network"):
        as_session(nn.Linear(4, 1))


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        (
            {"test": {"genome": "R64", "contigs": ["chrXII"]}},
            "By its card it was trained without chrXII of R64.",
        ),
        ({"valid": ["c2"]}, "By its card its checkpoint was chosen on c2."),
        ({"valid": [], "test": ["c3"]}, "By its card it was trained without c3."),
        (None, "Its card does not say which DNA was held out, so it may have been trained on this "
         "region."),
    ],
)  # fmt: skip
def test_what_was_held_out_is_said(held_out: object, said: str) -> None:
    assert of_card({"held_out": held_out}).held_out == said
