"""What trained models say about sequence."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cisgram.prediction.reuse import predict_sequences

__all__ = ["predict_sequences"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: it brings torch, which `cisgram --help` must not wait for."""
    if name in __all__:
        from cisgram.prediction import reuse

        return getattr(reuse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
