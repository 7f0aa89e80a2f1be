"""Predict gene expression from DNA: across genes, across people, and variant by variant."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cisgram.api import (
        LoadedModel,
        Motif,
        Outputs,
        Sequences,
        attribute,
        bench,
        embed,
        fit,
        insert,
        load,
        mutate,
        predict,
        score_variants,
        train,
        wrap,
    )

__all__ = [
    "LoadedModel",
    "Motif",
    "Outputs",
    "Sequences",
    "attribute",
    "bench",
    "embed",
    "fit",
    "insert",
    "load",
    "mutate",
    "predict",
    "score_variants",
    "train",
    "wrap",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: it brings torch, and `--help` need not wait."""
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("cisgram.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__, "__version__"]
