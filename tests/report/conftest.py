"""Made-up fits and a browser for the report's tests."""

import shutil
from collections.abc import Callable, Iterator

import pytest

from cisgram.personal.fit import Fit
from report.synthetic import synthetic_fits

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def make_fits() -> Callable[..., list[Fit]]:
    """Draws fits of made-up people and genes."""
    return synthetic_fits


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium; .ci/run installs it")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield running
        running.close()
