"""How far gradients say what changes of the bases do."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from cisgram.core.metrics import pearson
from cisgram.explain.gene_maps import importance
from cisgram.explain.gradients import Attribution


class Agreement(NamedTuple):
    """Pearson correlations of what gradients say of a region with what its changes do."""

    bases: float
    """Over bases, of contributions with importance."""
    changes: float
    """Over single-base changes, of what gradients expect of each with what it does."""


def compare_with_changes(
    found: Attribution, effects: Float32[np.ndarray, "positions 4"]
) -> Agreement:
    """Correlate an attribution of a region with the effects of its changes.

    They are NaN where no effect varies, and 0 where gradients do not.

    A base's contribution is its row of `hypothetical`, which has no mean, at the base that is
    there. Its importance is minus the mean effect of its three changes, so that both are above 0
    where the base holds the number up. If the network were linear, a change would do what
    `hypothetical` has at the new base less what it has at the old, contributions would be three
    quarters of importance, and both correlations 1.

    Args:
        found: of the bases of the region, along its strand.
        effects: as changed minus as it is, of the same number, bases and strand; 0 for the base
            that is there and NaN where that is N.
    """
    own = found.contributions
    expected = found.hypothetical - own[:, None]
    changed = np.arange(4) != found.tokens[:, None]
    return Agreement(
        bases=float(pearson(own, importance(effects))),
        changes=float(pearson(expected[changed], effects[changed])),
    )
