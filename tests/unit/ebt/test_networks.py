"""Networks of one pass, against numpy and torch modules."""

import numpy as np
import pytest
import torch

from versus.core.weights import split
from versus.experiments.ebt.vectors.networks import Bilinear, FeedForward, LeastSquares

D = 3


def inputs(rows: int = 200) -> torch.Tensor:
    return torch.rand(2, rows, 2 * D, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_feed_forward_is_the_seed_documents_network(activation: str) -> None:
    network = FeedForward(10, 128, activation)  # type: ignore[arg-type]
    row = network.initial(0)
    assert row.numel() == 37_002
    p = split(row[None], network.shapes)
    act = torch.nn.ReLU() if activation == "relu" else torch.nn.SiLU()
    module = torch.nn.Sequential()
    for weight, bias in (("w1x", "b1"), ("w2", "b2"), ("w3", "b3"), ("w4", "b4")):
        layer = torch.nn.Linear(*p[weight].shape[1:])
        layer.weight.data, layer.bias.data = p[weight][0].T, p[bias][0]
        module.extend([layer, act])
    x = torch.randn(1, 6, 20)
    torch.testing.assert_close(network.forward(p, x)[0], module[:-1](x[0]).detach())


def test_initial_weights_are_those_of_linear_layers() -> None:
    network = FeedForward(10, 128, "silu")
    p = split(network.initial(0)[None], network.shapes)
    for name, fan in {"w1x": 20, "b1": 20, "w2": 128, "b4": 128}.items():
        bound = fan**-0.5
        assert float(p[name].abs().max()) <= bound
        assert float(p[name].abs().max()) > 0.8 * bound
    assert not torch.equal(network.initial(0), network.initial(1))


@pytest.mark.parametrize("quadratic", [False, True])
def test_least_squares_is_numpys(quadratic: bool) -> None:
    network, x = LeastSquares(D, quadratic=quadratic), inputs()
    y = x[..., :D] * x[..., D:] + 0.3 * x[..., D:] + 1
    weights = network.solve(x, y)
    for run in range(2):
        rows = x[run].double().numpy()
        features = [np.ones((len(rows), 1)), rows]
        if quadratic:
            features += [rows[:, [i]] * rows[:, i:] for i in range(2 * D)]
        design = np.concatenate(features, axis=1)
        expected, *_ = np.linalg.lstsq(design, y[run].double().numpy(), rcond=None)
        np.testing.assert_allclose(weights[run], expected, atol=1e-6)
    answers = network.forward({"w": weights}, x)
    if quadratic:
        torch.testing.assert_close(answers, y)
    else:
        assert float((answers - y).abs().mean()) > 0.01


def test_bilinear_network_can_be_an_exact_product() -> None:
    network = Bilinear(D, D)
    p = {name: torch.zeros(2, *shape) for name, shape in network.shapes.items()}
    eye = torch.eye(D)
    p["p"][:, :D], p["q"][:, D:], p["c"][:] = eye, eye, eye
    p["b"][:, :D], p["c0"][:] = 2 * eye, 1.0
    x = inputs()
    a, b = x.chunk(2, dim=-1)
    torch.testing.assert_close(network.forward(p, x), a * b + 2 * a + 1)
