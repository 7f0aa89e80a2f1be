"""The weights that come with the package."""

from pathlib import Path

import numpy as np

from cisgram.genome.reference import open_reference
from cisgram.models.catalogue import describe
from cisgram.models.checkpoint import load_language_model
from cisgram.predict.perplexity import perplexity, surprise

NAME = "cisgram/yeast-lm"
MOST_BYTES = 30_000_000
SEQUENCE = Path(__file__).parents[2] / "src" / "cisgram" / "demo" / "promoter" / "sequence.fa"


def test_the_card_says_what_the_model_is_and_reaches() -> None:
    facts = describe(NAME)
    assert facts["bytes"] < MOST_BYTES
    assert facts["n_parameters"] == load_language_model(NAME)[0].n_parameters
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
    tokens = open_reference(SEQUENCE).contig("SUI1-SLA2")
    nats = surprise(load_language_model(NAME)[0], {"": tokens})[""]
    frequencies = np.bincount(tokens, minlength=4) / len(tokens)
    entropy = -(frequencies * np.log(frequencies)).sum()
    assert perplexity(nats) < 0.97 * np.exp(entropy)
