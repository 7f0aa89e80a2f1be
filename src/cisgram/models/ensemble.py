"""Several networks that read the same windows and predict the same outputs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError
from cisgram.core.config import to_plain
from cisgram.data.outputs import Geometry, Outputs
from cisgram.models.ancestry import held_out_contigs
from cisgram.models.base import Bases, Model, SplitModel
from cisgram.models.hub import WEIGHTS, Card, load_model, model_directory, save_model, summary
from cisgram.models.registry import architecture, build_model, model_config

_SAME = ("genome", "genomes")
"""What the cards of members must agree in."""
_OF_MEMBER = (*_SAME, "held_out", "contigs", "start", "steps", "seconds")
"""What the card of an ensemble keeps of those of its members."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network of an ensemble."""

    kind: str
    """Its architecture."""
    config: Mapping[str, Any]
    """Its sizes, as JSON holds them."""
    outputs: Outputs
    """With the scale that it was trained on."""

    def __post_init__(self) -> None:
        """Check the sizes; what is left out is as the architecture has it."""
        where = "a member of the ensemble"
        object.__setattr__(self, "config", to_plain(model_config(self.kind, self.config, where)))


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig:
    """The networks; two of Shorkie's published language model by default."""

    members: tuple[Member, ...] = (
        Member(kind="shorkie", config={}, outputs=Outputs.of_bases()),
    ) * 2

    def __post_init__(self) -> None:
        """Check that there are several."""
        if len(self.members) < 2:
            raise ConfigError(f"an ensemble has two members or more; got {len(self.members)}.")

    @property
    def geometry(self) -> Geometry:
        """That of the first member."""
        first = self.members[0]
        return model_config(first.kind, first.config, "the first member").geometry

    @property
    def default_outputs(self) -> Outputs:
        """What the mean of the members means: it is in units already."""
        first = self.members[0].outputs
        activation = "log-softmax" if first.are_bases else "none"
        return replace(first, scale=None, activation=activation)


_TINY = {"window": 64, "channels": 6, "first_width": 5, "dilations": (2, 4)}


@architecture(
    "ensemble",
    EnsembleConfig,
    tiny={
        "members": [
            {"kind": "dilated-cnn", "config": _TINY, "outputs": {"row": "window", "names": ["a"]}},
        ]
        * 2
    },
)
class Ensemble(SplitModel):
    """The mean of several networks, each in the units of the data."""

    row_kinds = ("base", "bin", "window")

    def __init__(self, config: EnsembleConfig, outputs: Outputs) -> None:
        super().__init__(config, outputs)
        where = "a member of the ensemble"
        if outputs != config.default_outputs:
            raise ConfigError(
                "the outputs of an ensemble are those of its members, in units and without a "
                f"scale; got {summary(outputs)}."
            )
        self.members = nn.ModuleList(
            build_model(own.kind, model_config(own.kind, own.config, where), own.outputs)
            for own in config.members
        )
        first, *others = self._each()
        for number, other in enumerate(others, start=2):
            if (other.window, _shape(other.outputs)) != (first.window, _shape(first.outputs)):
                raise ConfigError(
                    f"members of an ensemble must predict the same of windows of one length; the "
                    f"first and number {number} do not."
                )
        self.reads_masks = all(member.reads_masks for member in self._each())
        # Both are lengths that suit every member: `multiple` is a power of two.
        self.multiple = max(member.multiple for member in self._each())
        reach = max(member.halo for member in self._each())
        self.halo = -(-reach // self.multiple) * self.multiple
        self.n_levels = sum(member.n_levels for member in self._each())
        self.stages = tuple(
            f"members.{number}.{name}"
            for number, member in enumerate(self._each())
            for name in member.layer_names
        )
        self.embedding_layer = f"members.0.{first.layer(None)}"

    def check_length(self, length: int) -> None:
        """Refuse windows that a member cannot take."""
        for member in self._each():
            member.check_length(length)

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return the features of every member, one after the other."""
        return tuple(level for member in self._each() for level in member.local(tokens, species))

    def mix(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch ..."]:
        """Return the mean of what the members' `mix` do, in the units of the data."""
        rest, units = iter(features), list[Tensor]()
        for member in self._each():
            output = member.mix(tuple(islice(rest, member.n_levels)))
            units.append(member.outputs.in_units(output))
        return torch.stack(units).mean(dim=0)

    def _each(self) -> Iterable[SplitModel]:
        return cast("Sequence[SplitModel]", self.members)


def _shape(outputs: Outputs) -> Outputs:
    """Return outputs without how they were scaled."""
    return replace(outputs, scale=None)


def join_models(names: Sequence[str], out: Path) -> Ensemble:
    """Write an ensemble of models of the same outputs, with its card, and return it.

    A chromosome counts as held out where no member was trained on it.

    Raises:
        ConfigError: there are fewer than two, one has no local part, or they differ in what they
            predict or in their genome.
        DataError: there is no such model, or `out` exists.
    """
    models, cards = list[Model](), list[Card]()
    if len(names) < 2:
        raise ConfigError(f"an ensemble has two members or more; got {len(names)}.")
    for name in names:
        model, card = load_model(name)
        if not isinstance(model, SplitModel) or isinstance(model, Ensemble):
            raise ConfigError(
                f"{name} is of kind {model.kind}; members of an ensemble are single networks with "
                "a local part."
            )
        models.append(model)
        cards.append(card)
    for name, model, card in zip(names, models, cards, strict=True):
        differ = [key for key in _SAME if card.get(key) != cards[0].get(key)]
        if _shape(model.outputs) != _shape(models[0].outputs):
            differ.append("outputs")
        if differ:
            raise ConfigError(
                f"{name} and {names[0]} differ in their {differ[0]}; members of an ensemble "
                "predict the same."
            )
    members = tuple(
        Member(kind=model.kind, config=to_plain(model.config), outputs=model.outputs)
        for model in models
    )
    card = _card(names, cards)
    whose: dict[str, str] = {}
    for name, member in zip(names, card["members"], strict=True):
        if other := whose.get(member["weights"]):
            raise ConfigError(
                f"{name} has the weights of {other}, so that their mean is no other model; name "
                "members that were trained apart."
            )
        whose[member["weights"]] = name
    config = EnsembleConfig(members=members)
    joined = Ensemble(config, config.default_outputs)
    for own, model in zip(joined.members, models, strict=True):
        own.load_state_dict(model.state_dict())
    save_model(out, joined, card=card)
    return joined


def _card(names: Sequence[str], cards: Sequence[Card]) -> Card:
    first = cards[0]
    return {
        "description": f"mean of {len(cards)} models",
        **{key: first[key] for key in (*_SAME, "licence") if key in first},
        "held_out": {
            split: _held_out_by_all(split, part, cards)
            for split, part in (first.get("held_out") or {}).items()
        },
        "members": [
            {
                "weights": sha256(model_directory(name) / WEIGHTS),
                **{key: card[key] for key in _OF_MEMBER if key in card},
            }
            for name, card in zip(names, cards, strict=True)
        ],
    }


def _held_out_by_all(split: str, part: Any, cards: Sequence[Card]) -> Any:
    """Return the contigs that no member learnt, nor what it started from, as `part` has them."""
    first, *others = (held_out_contigs(card, split) for card in cards)
    common = [contig for contig in first if all(contig in own for own in others)]
    return {**part, "contigs": common} if isinstance(part, Mapping) else common
