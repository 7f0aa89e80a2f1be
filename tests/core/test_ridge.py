"""Ridge and REML against brute force."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from cisgram.core.ridge import fit_averaged_ridge, fit_ridge


def make(rng, heritability, n_people=150, n_snps=400):
    snps = rng.binomial(2, 0.3, (n_snps, n_people)).astype(np.float32)
    z = (snps - snps.mean(1, keepdims=True)) / snps.std(1, keepdims=True)
    genetic = rng.standard_normal(n_snps) @ z / np.sqrt(n_snps)
    noise = rng.standard_normal(n_people)
    return snps, z, np.sqrt(heritability) * genetic + np.sqrt(1 - heritability) * noise


def restricted_loglik(heritability, z, target):
    """Likelihood of contrasts orthogonal to the mean, the scale maximised out."""
    n = len(target)
    contrasts = np.linalg.qr(np.c_[np.ones(n), np.eye(n)[:, 1:]])[0][:, 1:]
    kinship = z.T @ z / len(z)
    covariance = contrasts.T @ (heritability * kinship + (1 - heritability) * np.eye(n)) @ contrasts
    y = contrasts.T @ target
    scale = y @ np.linalg.solve(covariance, y) / (n - 1)
    return multivariate_normal.logpdf(y, cov=scale * covariance)


def test_heritability_maximises_the_restricted_likelihood(rng):
    snps, z, target = make(rng, 0.5)
    found = fit_ridge(snps, target).heritability
    grid = np.linspace(0.02, 0.98, 49)
    values = [restricted_loglik(h, z.astype(float), target) for h in grid]
    assert found == pytest.approx(grid[np.argmax(values)], abs=0.02)
    assert restricted_loglik(found, z.astype(float), target) >= max(values) - 1e-6


def test_weights_solve_the_ridge_equations(rng):
    snps, z, target = make(rng, 0.6)
    fit = fit_ridge(snps, target)
    z = z.astype(float)
    strength = (1 - fit.heritability) / fit.heritability * len(z)
    by_hand = np.linalg.solve(z @ z.T + strength * np.eye(len(z)), z @ (target - target.mean()))
    np.testing.assert_allclose(fit.coefficients * snps.std(1), by_hand, atol=1e-5)
    assert fit.intercept + snps.mean(1) @ fit.coefficients == pytest.approx(target.mean())


def test_no_signal_gives_no_weights(rng):
    snps, _, _ = make(rng, 0.5)
    weights = [fit_ridge(snps, rng.standard_normal(150)).heritability for _ in range(20)]
    assert sum(h == 0 for h in weights) >= 5
    flat = fit_ridge(snps, np.ones(150))
    assert flat.heritability == 0
    assert not flat.coefficients.any()
    assert flat.intercept == 1


@pytest.mark.parametrize("n_people", [98, 102])
def test_few_snps_or_few_people_solve_the_same_equations(rng, n_people):
    """One SNP of 100 repeats another and one is constant, so that directions are missing."""
    snps, z, target = make(rng, 0.4, n_people=n_people, n_snps=100)
    snps[1], snps[2] = snps[0], 1
    fit = fit_ridge(snps, target)
    z = z.astype(float)
    z[1], z[2] = z[0], 0
    strength = (1 - fit.heritability) / fit.heritability * 99
    by_hand = np.linalg.solve(z @ z.T + strength * np.eye(100), z @ (target - target.mean()))
    scale = np.maximum(snps.std(1), 1e-6)
    np.testing.assert_allclose(fit.coefficients * scale, by_hand, atol=1e-5)
    z = np.delete(z, 2, axis=0)
    best = restricted_loglik(fit.heritability, z, target)
    others = [restricted_loglik(h, z, target) for h in np.linspace(0.02, 0.98, 25)]
    assert best >= max(others) - 1e-6


def test_averaged_weights_and_evidence_are_sums_over_heritabilities(rng):
    """Against the equations of every heritability, solved one by one; a size of 0 leaves out."""
    snps, z, target = make(rng, 0.3)
    sizes = np.where(np.arange(400) < 40, 0, rng.uniform(0.2, 2, 400))
    fit = fit_averaged_ridge(snps, target, sizes)
    kept = sizes > 0
    scaled = (z * sizes[:, None])[kept].astype(float) * np.sqrt(kept.sum() / (sizes**2).sum())
    grid = np.array([0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7])
    logs = np.array([restricted_loglik(h, scaled, target) for h in grid])
    shares = np.exp(logs - logs.max())
    weights = [
        np.linalg.solve(scaled @ scaled.T + (1 - h) / h * kept.sum() * np.eye(kept.sum()),
                        scaled @ (target - target.mean()))
        for h in grid
    ]  # fmt: skip
    expected = (shares / shares.sum()) @ np.array(weights)
    own = fit.coefficients[kept] * snps[kept].std(1) * np.sqrt((sizes**2).sum() / kept.sum())
    np.testing.assert_allclose(own / sizes[kept], expected, atol=1e-5)
    assert not fit.coefficients[~kept].any()
    assert fit.heritability == pytest.approx(shares @ grid / shares.sum(), abs=1e-4)
    flat = fit_averaged_ridge(snps, target, np.ones(400))
    all_logs = np.array([restricted_loglik(h, z.astype(float), target) for h in grid])
    mean = all_logs.max() + np.log(np.exp(all_logs - all_logs.max()).mean())
    own_mean = logs.max() + np.log(np.exp(logs - logs.max()).mean())
    assert flat.log_evidence - fit.log_evidence == pytest.approx(mean - own_mean, abs=1e-3)
