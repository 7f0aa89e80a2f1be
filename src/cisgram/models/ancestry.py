"""Which DNA a model and the models it started from learnt, known by its bases.

A card's `contigs` has split, length and digest of the bases of every contig that its training used,
by genome. `start` and `members` hold the cards that went before, each with its own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cisgram.core.checks import few
from cisgram.genome.packaged_genomes import packaged_genome
from cisgram.genome.reference import Reference, open_reference

CONTIGS = "contigs"
_Card = Mapping[str, Any]
_Contigs = Mapping[str, Mapping[str, Sequence[Any]]]
"""Split, length and digest of contigs by name, by genome."""


def held_out_contigs(card: _Card, split: str = "test") -> tuple[str, ...]:
    """Return the contigs that neither a model nor the models it started from were trained on.

    Models of before bases were noted are taken to have held out what has the same name.

    >>> held_out_contigs({"held_out": {"test": ["b", "c"]}, "start": {"held_out": {"test": ["c"]}}})
    ('c',)
    """
    part = (card.get("held_out") or {}).get(split) or ()
    own = tuple(part["contigs"] if isinstance(part, Mapping) else part)
    start = card.get("start")
    if start is None:
        return own
    before = list(lineage(start))
    if CONTIGS not in card or not all(CONTIGS in step for step in before):
        names = held_out_contigs(start, split)
        return tuple(contig for contig in own if contig in names)
    used = ("train", "valid") if split == "test" else ("train",)
    learnt = {
        digest for step in before for kind, _, digest in _facts(step[CONTIGS]) if kind in used
    }
    digests = {name: own[2] for contigs in card[CONTIGS].values() for name, own in contigs.items()}
    return tuple(contig for contig in own if digests.get(contig, "") not in {"", *learnt})


def lineage(card: _Card) -> Iterator[_Card]:
    """Yield the card of every training that went into a model."""
    if members := card.get("members"):
        for member in members:
            yield from lineage(member)
        return
    yield card
    if card.get("start") is not None:
        yield from lineage(card["start"])


def evaluation_notes(
    card: _Card, reference: Reference, contigs: Iterable[str], *, name: str
) -> list[str]:
    """Say which contigs that a model is evaluated on it learnt, or may have; nothing if none.

    Args:
        card: the model's facts.
        reference: the genome.
        contigs: those that the evaluation is of; what the genome lacks is left out.
        name: what the model is called.
    """
    known = [own for step in lineage(card) for own in _facts(_contigs_of(step))]
    learnt, chosen, untold = list[str](), list[str](), list[str]()
    for contig in contigs:
        if reference.names.resolve(contig) is None:
            continue
        splits = _splits_of(reference, contig, known)
        if "train" in splits:
            learnt.append(contig)
        elif "valid" in splits:
            chosen.append(contig)
        elif not _is_told(card, reference, contig):
            untold.append(contig)
    where = f"of {reference.name}"
    return [
        *([f"{name}, or a model it started from, learnt {few(learnt)} {where}; numbers there are "
           "not of unseen DNA."] if learnt else []),
        *([f"The weights of {name}, or of a model it started from, were chosen on {few(chosen)} "
           f"{where}."] if chosen else []),
        *([f"Whether {name} learnt {few(untold)} {where} cannot be told: its card, or that of a "
           "model it started from, does not say by their bases what was learnt."]
          if untold else []),
    ]  # fmt: skip


def species_note(card: _Card, reference: Reference, *, name: str, species: int = 0) -> str:
    """Say what DNA is taken for if no contig is of a genome that a model learnt; else nothing.

    `species` is the number that the model is to know the genome by.
    """
    parts = [_contigs_of(step) for step in lineage(card)]
    names = list(dict.fromkeys(genome for contigs in parts for genome in contigs))
    known = [own for contigs in parts for own in _facts(contigs)]
    if not known or any(_splits_of(reference, contig, known) for contig in reference.contigs):
        return ""
    genomes = list(card.get("genomes") or names)
    taken = genomes[min(species, len(genomes) - 1)]
    return (
        f"No contig of {reference.name} has the bases of one that {name} is known to have learnt "
        f"({few(names)}); its DNA is taken for that of {taken}."
    )


def summarised(card: _Card) -> dict[str, Any]:
    """Return a card for reading: of contigs, how many each genome has in every split."""
    found = dict(card)
    if contigs := card.get(CONTIGS):
        found[CONTIGS] = {
            genome: dict(Counter(own[0] for own in named.values()))
            for genome, named in contigs.items()
        }
    if card.get("start") is not None:
        found["start"] = summarised(card["start"])
    if card.get("members"):
        found["members"] = [summarised(member) for member in card["members"]]
    return found


def _contigs_of(step: _Card) -> _Contigs:
    """Return the contigs of a training; those of before bases were noted go by the package."""
    genome = step.get("genome")
    if CONTIGS in step or genome is None or packaged_genome(genome) is None:
        return step.get(CONTIGS) or {}
    reference = open_reference(genome)
    splits = {name: split for split in ("test", "valid") for name in held_out_contigs(step, split)}
    if not splits:
        return {}
    return {genome: reference.facts(dict.fromkeys(reference.contigs, "train") | splits)}


def _facts(contigs: _Contigs) -> list[Sequence[Any]]:
    return [own for named in contigs.values() for own in named.values()]


def _splits_of(reference: Reference, contig: str, known: Iterable[Sequence[Any]]) -> set[str]:
    """Return what trainings used the bases of a contig for; nothing where none had them."""
    length = reference.contig(contig).size
    # Only a contig of the same length need be read.
    alike = [(split, digest) for split, own_length, digest in known if own_length == length]
    own = reference.digest(contig) if alike else ""
    return {split for split, digest in alike if digest == own}


def _is_told(card: _Card, reference: Reference, contig: str) -> bool:
    """Say whether every training says by their bases what it learnt, or knows this contig's."""
    if members := card.get("members"):
        return all(_is_told(member, reference, contig) for member in members)
    if CONTIGS not in card:
        return bool(_splits_of(reference, contig, _facts(_contigs_of(card))))
    return card.get("start") is None or _is_told(card["start"], reference, contig)
