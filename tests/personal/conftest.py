"""The packaged slice of Geuvadis as a cohort."""

import pytest

from cisgram.personal.cohort import Cohort, import_cohort


@pytest.fixture(scope="session")
def cohort(demo_files, tmp_path_factory) -> Cohort:
    return import_cohort(
        demo_files.genotypes,
        demo_files.expression,
        covariates=demo_files.covariates,
        populations=demo_files.populations,
        out=tmp_path_factory.mktemp("demo") / "cohort",
    )
