"""The packaged slice of Geuvadis as a cohort."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cisgram.personal.cohort import Cohort


@pytest.fixture(scope="session")
def cohort(demo_run: Callable[..., Path]) -> Cohort:
    return Cohort.open(demo_run() / "cohort")
