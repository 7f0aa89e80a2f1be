"""What a model and the models it started from learnt, told by the bases of contigs."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from cisgram.genome.alphabet import decode
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.ancestry import evaluation_notes, held_out_contigs, species_note, summarised
from cisgram.models.hub import load_model
from prediction.toy_session import bases, write_genome

SPLITS = {"c0": "train", "c1": "valid", "c2": "test"}
HELD_OUT = {"valid": ["c1"], "test": ["c2"]}


@pytest.fixture
def genome(tmp_path: Path) -> Reference:
    return write_genome(tmp_path)


def card(genome: Reference, splits: dict[str, str] = SPLITS, **more: Any) -> dict[str, Any]:
    held_out = {kind: [c for c, own in splits.items() if own == kind] for kind in ("valid", "test")}
    return {"contigs": {"toy": genome.facts(splits)}, "held_out": held_out, **more}


def other(genome: Reference) -> dict[str, Any]:
    """The card of a model that learnt c2 and held c0 out."""
    return card(genome, {"c0": "test", "c1": "valid", "c2": "train"})


def test_bases_are_known_whatever_file_and_name_they_have(genome: Reference, tmp_path: Path):
    lines = (
        f">chr{n}\n{decode(own[:50]).lower()}\n{decode(own[50:])}\n"
        for n, own in enumerate(bases().values())
    )
    (tmp_path / "packed.fa.gz").write_bytes(gzip.compress("".join(lines).encode()))
    packed = Reference.from_fasta(tmp_path / "packed.fa.gz", tmp_path / "packed")
    learnt, chosen = evaluation_notes(card(genome), packed, packed.contigs, name="lm")
    assert "lm, or a model it started from, learnt chr0 of" in learnt
    assert "were chosen on chr1 of" in chosen
    assert evaluation_notes(card(genome), packed, ["chr2", "absent"], name="lm") == []
    assert species_note(card(genome), packed, name="lm") == ""


def test_what_a_start_learnt_is_no_longer_held_out(genome: Reference):
    own = card(genome, start=other(genome))
    assert (held_out_contigs(own), held_out_contigs(card(genome))) == ((), ("c2",))
    (note,) = evaluation_notes(own, genome, ["c2"], name="lm")
    assert "learnt c2 of" in note
    assert held_out_contigs(card(genome, start=card(genome))) == ("c2",)


def test_a_start_of_another_genome_leaves_its_names_held_out(genome: Reference, tmp_path: Path):
    (tmp_path / "moon.fa").write_text(">c2\nACGTACGA\n")
    moon = Reference.from_fasta(tmp_path / "moon.fa", tmp_path / "moon")
    start = {"contigs": {"moon": moon.facts({"c2": "train"})}, "held_out": {}}
    assert held_out_contigs(card(genome, start=start)) == ("c2",)
    assert evaluation_notes(card(genome, start=start), genome, ["c2"], name="lm") == []


def test_members_of_ensembles_count_with_what_they_started_from(genome: Reference):
    joined = {"members": [card(genome), card(genome, start=other(genome))]}
    (note,) = evaluation_notes(joined, genome, ["c2"], name="both")
    assert "learnt c2 of" in note


@pytest.mark.parametrize("before", [{"held_out": HELD_OUT}, {}])
def test_where_it_cannot_be_told_that_is_said(genome: Reference, before: dict[str, Any]):
    for own in (before, card(genome, start=before), {"members": [card(genome), before]}):
        (note,) = evaluation_notes(own, genome, ["c2"], name="lm")
        assert note.startswith("Whether lm learnt c2 of")
        assert "cannot be told" in note


def test_packaged_models_are_known_by_the_packaged_genome(genome: Reference):
    yeast = open_reference("yeast-r64")
    for name in ("cisgram/yeast-lm", "cisgram/yeast-expression"):
        facts = load_model(name)[1]
        assert evaluation_notes(facts, yeast, held_out_contigs(facts), name=name) == []
        (note,) = evaluation_notes(facts, yeast, ["chrI"], name=name)
        assert "learnt chrI of yeast-r64" in note
        assert species_note(facts, yeast, name=name) == ""
        assert (
            "does not say by their bases" in evaluation_notes(facts, genome, ["c0"], name=name)[0]
        )
    said = species_note(load_model("cisgram/yeast-lm")[1], genome, name="lm", species=1)
    assert "is known to have learnt (yeast-r64); its DNA is taken for that of CBS432." in said


def test_cards_are_shown_with_the_number_of_contigs(genome: Reference):
    shown = summarised(card(genome, start=other(genome)))
    assert shown["contigs"] == {"toy": {"train": 1, "valid": 1, "test": 1}}
    assert shown["start"]["contigs"] == shown["contigs"]
