"""The transformer against PyTorch's own, its gradient against autograd, its evaluation by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from versus.core.weights import split
from versus.experiments.ordering.gradient import cross_entropy, gradient
from versus.experiments.ordering.measuring import measure
from versus.experiments.ordering.model import Masks, Transformer

MODEL = Transformer(p=11, d=12, heads=3, layers=2, ffn=20)
RUNS = 3


def weights(model: Transformer = MODEL, dtype: torch.dtype = torch.float32) -> Tensor:
    """Initial weights, disturbed so that biases and norms count too."""
    rows = torch.stack([model.initial(seed) for seed in range(RUNS)]).to(dtype)
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return rows + 0.1 * noise


def all_pairs(p: int = MODEL.p) -> Tensor:
    grid = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    return torch.stack([grid.roll(run, 0) for run in range(RUNS)])


class Reference(nn.Module):
    """The same network made of PyTorch's modules."""

    def __init__(self, model: Transformer, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        layers = [
            nn.TransformerEncoderLayer(
                model.d, model.heads, model.ffn, 0.0, batch_first=True, norm_first=True
            )
            for _ in range(model.layers)
        ]
        self.layers, self.parameters_ = nn.ModuleList(layers), parameters
        for index, layer in enumerate(layers):
            mine = {
                name.removeprefix(f"layers.{index}."): value
                for name, value in parameters.items()
                if name.startswith(f"layers.{index}.")
            }
            layer.load_state_dict(
                {
                    "self_attn.in_proj_weight": mine["qkv.weight"].T,
                    "self_attn.in_proj_bias": mine["qkv.bias"],
                    "self_attn.out_proj.weight": mine["out.weight"].T,
                    "self_attn.out_proj.bias": mine["out.bias"],
                    "linear1.weight": mine["up.weight"].T,
                    "linear1.bias": mine["up.bias"],
                    "linear2.weight": mine["down.weight"].T,
                    "linear2.bias": mine["down.bias"],
                    "norm1.weight": mine["norm1.weight"],
                    "norm1.bias": mine["norm1.bias"],
                    "norm2.weight": mine["norm2.weight"],
                    "norm2.bias": mine["norm2.bias"],
                }
            )

    def forward(self, pairs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, p), and per layer attention weights (B, h, 2, 2)."""
        x = self.parameters_["embedding.weight"][pairs] + self.parameters_["position.weight"]
        attention = []
        for layer in self.layers:
            assert isinstance(layer, nn.TransformerEncoderLayer)
            normed = layer.norm1(x)
            _, seen = layer.self_attn(normed, normed, normed, average_attn_weights=False)
            attention.append(seen)
            x = layer(x)
        weight, bias = (self.parameters_[f"unembedding.{kind}"] for kind in ("weight", "bias"))
        return x.mean(1) @ weight + bias, attention


@torch.no_grad()
def test_logits_and_attention_are_those_of_pytorchs_encoder() -> None:
    parameters, pairs = split(weights(), MODEL.shapes), all_pairs()
    logits = MODEL.forward(parameters, pairs)
    attention = MODEL.attention_weights(parameters, pairs)
    for run in range(RUNS):
        reference = Reference(MODEL, {name: value[run] for name, value in parameters.items()})
        expected, seen = reference(pairs[run])
        assert torch.allclose(logits[run], expected, atol=1e-5)
        for mine, theirs in zip(attention, seen, strict=True):
            assert torch.allclose(mine[run], theirs, atol=1e-6)


def random_masks(count: int) -> Masks:
    source = torch.Generator().manual_seed(1)
    return [
        tuple(  # type: ignore[misc]
            (torch.rand(RUNS, 2 * count, width, generator=source) > 0.3).double() / 0.7
            for width in (MODEL.d, MODEL.ffn)
        )
        for _ in range(MODEL.layers)
    ]


@pytest.mark.parametrize("dropout", [False, True])
def test_the_gradient_by_hand_is_autograds(dropout: bool) -> None:
    values = weights(dtype=torch.float64).requires_grad_()
    pairs = all_pairs()[:, 5:50]
    labels = pairs.sum(-1) % MODEL.p
    masks = random_masks(pairs.shape[1]) if dropout else ()
    logits = MODEL.trace(split(values, MODEL.shapes), pairs, masks).logits
    losses = cross_entropy(logits, labels)
    (expected,) = torch.autograd.grad(losses.sum(), values)
    out = torch.full_like(values, torch.nan).detach()
    parameters = split(values.detach(), MODEL.shapes)
    found = gradient(MODEL, parameters, pairs, labels, split(out, MODEL.shapes), masks)
    assert torch.allclose(found, losses, atol=1e-14)
    assert torch.allclose(out, expected, atol=1e-14)


# Torch compiles its own forward-mode rules by what it has deprecated itself.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_the_loss_can_be_differentiated_forwards_and_backwards() -> None:
    values, pairs = weights(dtype=torch.float64), all_pairs()[:, :40]
    labels = pairs.sum(-1) % MODEL.p

    def loss(rows: Tensor) -> Tensor:
        return cross_entropy(MODEL.forward(split(rows, MODEL.shapes), pairs), labels).sum()

    direction = torch.randn(values.shape, dtype=torch.float64)
    forwards = torch.func.jvp(torch.func.grad(loss), (values,), (direction,))[1]
    rows = values.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(rows), rows, create_graph=True)
    (backwards,) = torch.autograd.grad((slope * direction).sum(), rows)
    assert torch.allclose(forwards, backwards, atol=1e-12)


def test_evaluation_by_tables_is_evaluation_by_hand() -> None:
    parameters, pairs = split(weights(), MODEL.shapes), all_pairs()
    pairs = torch.cat([pairs] * 5, dim=1)  # several chunks
    labels = pairs.prod(-1) % MODEL.p
    loss, accuracy = measure(MODEL, parameters, pairs, labels)
    logits = MODEL.forward(parameters, pairs).double()
    assert torch.allclose(loss, cross_entropy(logits, labels), rtol=1e-6)
    assert torch.equal(accuracy, (logits.argmax(-1) == labels).double().mean(1))


def test_layers_are_named_and_lead_to_the_logits() -> None:
    parameters, pairs = split(weights(), MODEL.shapes), all_pairs()
    hidden = MODEL.hidden(parameters, pairs)
    count = pairs.shape[1]
    assert next(iter(hidden)) == "embedding"
    assert list(hidden)[-1] == "logits"
    assert hidden["layers.1.neurons"].shape == (RUNS, count, 2, MODEL.ffn)
    assert hidden["layers.0.output"].shape == (RUNS, count, 2, MODEL.d)
    tokens = parameters["embedding.weight"][1][pairs[1]] + parameters["position.weight"][1]
    assert torch.allclose(hidden["embedding"][1], tokens)
    # The last feed-forward network adds to the residual stream; the mean of both is pooled.
    down, bias = (parameters[f"layers.1.down.{kind}"] for kind in ("weight", "bias"))
    fed = torch.einsum("sbtn,snd->sbtd", hidden["layers.1.neurons"], down) + bias[:, None, None]
    assert torch.allclose(hidden["pooled"], (hidden["layers.1.middle"] + fed).mean(2), atol=1e-5)
    weight, bias = (parameters[f"unembedding.{kind}"] for kind in ("weight", "bias"))
    logits = hidden["pooled"] @ weight + bias[:, None]
    assert torch.allclose(hidden["logits"], logits, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"layers": 1}])
def test_initial_weights_depend_on_the_seed_alone(changes: dict[str, Any]) -> None:
    model = Transformer(**{**vars(MODEL), **changes})
    assert torch.equal(model.initial(3), model.initial(3))
    assert not torch.equal(model.initial(3), model.initial(4))
    parameters = split(model.initial(0), model.shapes)
    assert sum(value.numel() for value in parameters.values()) == len(model.initial(0))
