import math

import pytest
import torch
from scipy.stats import multinomial, poisson

from cisgram.nn.activations import log_softplus
from cisgram.training.losses import known_squared_error, poisson_multinomial


def test_the_loss_is_the_likelihood_of_counts_but_for_constants():
    torch.manual_seed(0)
    rates = torch.rand(2, 6, 3, dtype=torch.float64) + 0.1
    others = torch.rand(2, 6, 3, dtype=torch.float64) + 0.1
    counts = torch.randint(0, 9, (2, 6, 3)).double()

    def likelihood(rates: torch.Tensor) -> float:
        total = 0.0
        for window in range(2):
            for track in range(3):
                p, n = rates[window, :, track].numpy(), counts[window, :, track].numpy()
                where = multinomial(int(n.sum()), p / p.sum()).logpmf(n)
                total -= where + 0.5 * poisson(p.sum()).logpmf(n.sum())
        return total / (2 * 3 * 6)

    found = poisson_multinomial(rates.log(), counts, total_weight=0.5)
    found -= poisson_multinomial(others.log(), counts, total_weight=0.5)
    assert found.item() == pytest.approx(likelihood(rates) - likelihood(others))


def test_rates_too_small_for_single_precision_keep_their_gradients():
    x = torch.full((1, 4, 1), -300.0, requires_grad=True)
    counts = torch.tensor([[[1.0], [0.0], [0.0], [3.0]]])
    loss = poisson_multinomial(log_softplus(x), counts)
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(x.grad).all()
    assert x.grad[0, 3, 0] < x.grad[0, 0, 0] < 0 < x.grad[0, 1, 0]


def test_log_softplus_agrees_where_both_forms_hold():
    x = torch.linspace(-30, 30, 601, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.softplus(x).log()
    torch.testing.assert_close(log_softplus(x), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        torch.autograd.grad(log_softplus(x).sum(), x)[0],
        torch.autograd.grad(expected.sum(), x)[0],
        atol=1e-6,
        rtol=1e-6,
    )


def test_unknown_values_count_for_nothing():
    predicted = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    values = torch.tensor([[0.0, math.nan], [math.nan, 1.0]])
    loss = known_squared_error(predicted, values, ~values.isnan())
    loss.backward()
    assert loss.item() == pytest.approx((1 + 9) / 2)
    assert predicted.grad.tolist() == [[1, 0], [0, 3]]
    nothing = known_squared_error(predicted, values, torch.zeros(2, 2, dtype=torch.bool))
    assert nothing.item() == 0
