import numpy as np
import pytest
import torch
from scipy.stats import gamma

from cisgram.nn.positions import CentralMasks, EnformerDistances


def test_distances_have_the_published_thresholds():
    masks = CentralMasks(128)(128)
    assert masks.shape == (255, 32)
    reach = [int(masks[127:, i].sum()) for i in range(16)]
    # Thresholds 0.35, 0.84, 1.49 ... 94.21, 128: so many of the distances 0, 1, 2 ... lie below.
    assert reach == [1, 1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 38, 51, 70, 95, 128]
    assert torch.equal(masks[:, 16:], -masks.flip(0)[:, 16:])


def test_enformers_features_are_those_of_the_paper():
    length, n = 64, 4
    features = EnformerDistances(6 * n)(length)
    assert features.shape == (2 * length - 1, 6 * n)
    far = torch.arange(length).double()
    right = features[length - 1 :].double()
    # Half-lives of 8 to 64 positions.
    for column, half_life in enumerate([8, 16, 32, 64]):
        torch.testing.assert_close(right[:, column], 0.5 ** (far / half_life), atol=1e-6, rtol=0)
    assert right[:, n : 2 * n].sum(dim=0).tolist() == [1, 3, 7, 15]
    means = [16, 32, 48, 64]
    densities = [gamma(a=(mean / 8) ** 2, scale=64 / mean).pdf(far.numpy()) for mean in means]
    expected = torch.from_numpy(np.stack(densities, axis=1))
    found = right[:, 2 * n : 3 * n]
    assert found.max() == pytest.approx(1)
    torch.testing.assert_close(found, expected / expected.max(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("distances", [CentralMasks(16), EnformerDistances(12)])
def test_the_second_half_carries_the_side(distances):
    features = distances(16)
    half = distances.n_features // 2
    torch.testing.assert_close(
        features, features.flip(0) * torch.tensor([1.0] * half + [-1.0] * half)
    )
    assert not features[15, half:].any()
