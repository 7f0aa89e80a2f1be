"""Compiled inner loop of the elastic net."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True)
def descend(gram, gradient, coefficients, ridge, active, n, l1, l2, tolerance):  # type: ignore[no-untyped-def]
    """Minimise by cyclic coordinate descent over a working set of `n` variables.

    The loss is quadratic with matrix `gram`; `gradient` holds the inner product
    of each variable with the residual and is kept up to date, so a variable
    that stays zero costs one comparison. A sweep over the whole set is followed
    by sweeps over its non-zero members until no move lowers the loss by
    `tolerance`, then by another whole sweep; it ends when that one is quiet too.

    Shapes: gram (capacity, capacity); gradient, coefficients, ridge (at least
    n); active scratch (at least n). Coefficients and gradient change in place.
    """
    whole = True
    n_active = 0
    while True:
        largest = np.float32(0)
        n_sweep = n if whole else n_active
        if whole:
            n_active = 0
        for i in range(n_sweep):
            j = i if whole else active[i]
            before = coefficients[j]
            curvature = gram[j, j]
            pull = gradient[j] + curvature * before
            if pull > l1:
                after = (pull - l1) / (curvature + l2 * ridge[j])
            elif pull < -l1:
                after = (pull + l1) / (curvature + l2 * ridge[j])
            else:
                after = np.float32(0)
            if whole and (after != 0 or before != 0):
                active[n_active] = j
                n_active += 1
            move = after - before
            if move != 0:
                coefficients[j] = after
                row = gram[j]
                for k in range(n):
                    gradient[k] -= move * row[k]
                largest = max(largest, curvature * move * move)
        if largest >= tolerance:
            whole = False
        elif whole:
            return
        else:
            whole = True
