"""The weights that come with the package."""

from pathlib import Path

import numpy as np
import pytest

from cisgram.genome.reference import open_reference
from cisgram.models.hub import describe, load_model, packaged_models
from cisgram.prediction.perplexity import perplexity, surprise
from cisgram.prediction.predict import predict
from cisgram.prediction.session import Session

NAME, EXPRESSION = "cisgram/yeast-lm", "cisgram/yeast-expression"
MOST_BYTES = 30_000_000


def test_there_are_these_models() -> None:
    assert packaged_models() == (EXPRESSION, NAME)


def test_the_card_says_what_the_model_is_and_reaches() -> None:
    facts = describe(NAME)
    assert facts["bytes"] < MOST_BYTES
    assert (facts["kind"], facts["outputs"]) == ("shorkie", "bases")
    assert facts["n_parameters"] == load_model(NAME)[0].n_parameters
    training = facts["training"]
    assert len(training["data"]) == 16
    assert all(len(digest) == 64 for digest in training["data"].values())
    assert training["held_out"]["test"]["contigs"] == ["chrXII", "chrXIV", "chrXVI"]
    assert training["steps"] > facts["start"]["steps"]
    assert training["seconds"] > 3600
    assert training["hardware"]
    assert training["curve"][-1]["validation_loss"] < training["curve"][0]["validation_loss"]
    assert facts["perplexity"]["low"] < facts["perplexity"]["overall"] < facts["perplexity"]["high"]
    assert facts["licence"]
    assert facts["limits"]


def test_unseen_dna_surprises_it_less_than_its_composition(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path))
    tokens = open_reference("yeast-r64").contig("chrXIV")[183_676:191_868]
    nats = surprise(load_model(NAME)[0], {"": tokens})[""]
    frequencies = np.bincount(tokens, minlength=4) / len(tokens)
    entropy = -(frequencies * np.log(frequencies)).sum()
    assert perplexity(nats) < 0.97 * np.exp(entropy)


def test_the_expression_model_knows_its_genome_its_genes_and_its_accuracy() -> None:
    facts = describe(EXPRESSION)
    assert facts["bytes"] < MOST_BYTES
    assert facts["genome"] == "yeast-r64"
    assert facts["outputs"] == "22 gene targets, 8 tracks"
    assert set(facts["units"]) <= set(facts["names"])
    assert facts["units"]["rnaseq_wt"]
    assert facts["held_out"]["test"] == ["chrXII", "chrXIV", "chrXVI"]
    own = facts["accuracy"]["across_genes"]["segregants"]
    linear = facts["accuracy"]["ridge_of_promoter_words_and_codons"]["segregants"]
    assert own[1] < own[0] < own[2]
    assert linear < own[0]
    assert facts["limits"]


def test_the_expression_model_tells_strong_genes_from_weak_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path))
    session = Session.open(EXPRESSION)
    # On held-out chromosomes: of the ribosome and translation, and of meiosis.
    strong = ["RPL8B", "RPS0B", "RPL10", "RPS31", "RPS3", "TEF1"]
    weak = ["SPO75", "SPO77", "REC102", "SPO1", "SPO19", "REC8"]
    table = predict(session, genes=strong + weak).table
    assert set(table["chrom"]) <= {"chrXII", "chrXIV", "chrXVI"}
    level = table["rnaseq_wt"].to_numpy()
    assert level[:6].min() > level[6:].max()
