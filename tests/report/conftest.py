"""Made-up fits for the report's tests."""

from collections.abc import Callable

import pytest

from cisgram.personal.fit import Fit
from report.synthetic import synthetic_fits


@pytest.fixture(scope="session")
def make_fits() -> Callable[..., list[Fit]]:
    """Draws fits of made-up people and genes."""
    return synthetic_fits
