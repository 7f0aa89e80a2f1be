"""One model file of several runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError
from cisgram.models.checkpoint import WEIGHTS, load_model, model_directory, save_model
from cisgram.models.ensemble import EnsembleConfig, EnsembleTracks
from cisgram.models.shorkie_tracks import ShorkieTracks

_SAME = ("columns", "genome", "units")
"""What the cards of members must agree in."""


def join_models(names: Sequence[str], out: Path) -> EnsembleTracks:
    """Write an ensemble of models of the same tracks and numbers of genes, with its card.

    A chromosome counts as held out where no member learnt from it.

    Args:
        names: packaged weights, directories of models or runs of `cisgram train`.
        out: directory to make.

    Raises:
        ConfigError: there are fewer than two, one predicts no tracks or is an ensemble itself, or
            they differ in what they predict or in their genome.
        DataError: there is no such model, or `out` exists.
    """
    members: list[ShorkieTracks] = []
    cards: list[dict[str, Any]] = []
    for name in names:
        model, card = load_model(name)
        if not isinstance(model, ShorkieTracks) or "columns" not in card:
            raise ConfigError(
                f"{name} ({model.kind}) is no single network of named tracks; name runs of "
                "`cisgram train`."
            )
        members.append(model)
        cards.append(card)
    for key in _SAME:
        for name, card in zip(names, cards, strict=True):
            if card.get(key) != cards[0].get(key):
                raise ConfigError(
                    f"{name} and {names[0]} differ in their {key}; members of an ensemble predict "
                    "the same."
                )
    model = EnsembleTracks(EnsembleConfig(members=tuple(member.config for member in members)))
    for own, member in zip(model.members, members, strict=True):
        own.load_state_dict(member.state_dict())
    save_model(out, model, card=_card(names, cards))
    return model


def _card(names: Sequence[str], cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = cards[0]
    held_out = [card.get("held_out", {}) for card in cards]
    return {
        "description": f"mean of {len(cards)} models of tracks and genes",
        **{key: first[key] for key in _SAME if key in first},
        "scaling": [card["scaling"] for card in cards],
        "held_out": {
            split: [
                chrom for chrom in chroms if all(chrom in own.get(split, ()) for own in held_out)
            ]
            for split, chroms in held_out[0].items()
        },
        "members": [
            {
                "weights": sha256(model_directory(name) / WEIGHTS),
                **{key: card.get(key) for key in ("held_out", "start", "steps", "seconds")},
            }
            for name, card in zip(names, cards, strict=True)
        ],
    }
