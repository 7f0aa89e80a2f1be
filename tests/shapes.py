"""The type checker of the test run: array annotations only, whole signatures for the axes."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, get_args

import numpy as np
from beartype import beartype
from jaxtyping import AbstractArray

P = ParamSpec("P")
R = TypeVar("R")


def check_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """Let beartype check the annotations that name an array, and no others.

    Options and paths are checked by cisgram itself, in its own words; a test of
    those words must get that far.
    """
    function.__annotations__ = {
        name: hint | np.generic  # numpy hands out scalars where an array has no axes
        for name, hint in function.__annotations__.items()
        if _has_array(hint)
    }
    return beartype(function)


def _has_array(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_has_array(argument) for argument in get_args(hint))
