"""Loss and its gradient, derived by hand.

What :func:`losses` and :func:`gradient` compute is what autograd would give for the forward pass
of :mod:`.model`; without its bookkeeping a small step takes half the time. A test holds the two
together. Shapes as there.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from versus.experiments.ordering.model import (
    Layer,
    Masks,
    Normed,
    Parameters,
    Transformer,
    token_rows,
)

_norm_backward = torch.ops.aten.native_layer_norm_backward.default
_embedding_backward = torch.ops.aten.embedding_dense_backward.default
_relu_backward = torch.ops.aten.threshold_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.default


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each run, (S,), for logits (S, B, p) and labels (S, B)."""
    scores = torch.log_softmax(logits, dim=-1).gather(2, labels[:, :, None])
    return -scores.mean(dim=(1, 2))


@torch.no_grad()
def gradient(
    model: Transformer,
    parameters: Parameters,
    pairs: Tensor,
    labels: Tensor,
    out: Mapping[str, Tensor],
    masks: Masks = (),
) -> Tensor:
    """Write the gradient of the mean cross-entropy into ``out``; return the losses, (S,).

    Args:
        model: sizes.
        parameters: name -> (S, *shape).
        pairs: (S, B, 2).
        labels: (S, B).
        out: name -> where its gradient goes, (S, *shape); overwritten.
        masks: dropout of this step, if any.
    """
    trace = model.trace(parameters, pairs, masks)
    losses, upstream = _through_loss(trace.logits, labels)
    upstream = _through_linear("unembedding", trace.layers[-1].outputs, upstream, parameters, out)
    for index in reversed(range(model.layers)):
        mask = masks[index] if masks else None
        upstream = _through_block(index, trace.layers[index], upstream, parameters, out, mask)
    _through_embedding(token_rows(pairs, model.p), upstream, out)
    return losses


def _through_loss(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    targets = labels[:, :, None]
    scores = torch.log_softmax(logits, dim=-1)
    chosen = scores.gather(2, targets)
    losses = chosen.mean(dim=(1, 2)).neg_()
    upstream = scores.exp_().scatter_(2, targets, chosen.expm1_())
    return losses, upstream.mul_(1 / labels.shape[1])


def _through_linear(
    name: str,
    inputs: Tensor,
    upstream: Tensor,
    parameters: Parameters,
    out: Mapping[str, Tensor],
    scale: float = 1.0,
) -> Tensor:
    """Gradient of the inputs of ``scale * inputs @ weight + bias``; scales upstream in place."""
    torch.sum(upstream, 1, out=out[f"{name}.bias"])
    if scale != 1.0:
        upstream.mul_(scale)
    weight = out[f"{name}.weight"]
    if weight.is_contiguous():  # one run alone
        torch.bmm(inputs.transpose(1, 2), upstream, out=weight)
    else:
        weight.copy_(torch.bmm(inputs.transpose(1, 2), upstream))
    return torch.bmm(upstream, parameters[f"{name}.weight"].transpose(1, 2))


def _through_norm(
    name: str,
    inputs: Tensor,
    norm: Normed,
    upstream: Tensor,
    parameters: Parameters,
    out: Mapping[str, Tensor],
) -> Tensor:
    torch.sum(upstream, 1, out=out[f"{name}.bias"])
    torch.sum(norm.values.mul_(upstream), 1, out=out[f"{name}.weight"])
    upstream.mul_(parameters[f"{name}.weight"][:, None])
    wanted = [True, False, False]
    result: Tensor = _norm_backward(
        upstream, inputs, inputs.shape[-1:], norm.mean, norm.rstd, None, None, wanted
    )[0]
    return result


def _through_block(
    index: int,
    layer: Layer,
    upstream: Tensor,
    parameters: Parameters,
    out: Mapping[str, Tensor],
    mask: tuple[Tensor, Tensor] | None,
) -> Tensor:
    name = f"layers.{index}"
    middle = _through_feed(name, layer, upstream, parameters, out, mask)
    added = middle if mask is None else middle * mask[0]
    attended = _through_linear(f"{name}.out", layer.attended, added, parameters, out)
    qkv = _through_attention(layer, attended.view(layer.qkv[:, :, :, 0].shape))
    attending = _through_linear(f"{name}.qkv", layer.norm1.result, qkv, parameters, out)
    through = _through_norm(f"{name}.norm1", layer.inputs, layer.norm1, attending, parameters, out)
    return through.add_(middle)


def _through_feed(
    name: str,
    layer: Layer,
    upstream: Tensor,
    parameters: Parameters,
    out: Mapping[str, Tensor],
    mask: tuple[Tensor, Tensor] | None,
) -> Tensor:
    """Gradient of the block's middle, (S, T, d); overwrites the trace's neurons."""
    neurons = layer.neurons
    # In the last block half of it goes to each position.
    last = layer.pooled is not None
    fed = neurons.flatten(1, 2) if layer.pooled is None else layer.pooled
    back = _through_linear(f"{name}.down", fed, upstream, parameters, out, 0.5 if last else 1.0)
    back = back.view(len(back), -1, *neurons.shape[2:]).expand(neurons.shape)
    _relu_backward(back, neurons, 0, grad_input=neurons)
    back = neurons.flatten(1, 2)
    if mask is not None:
        back = back.mul_(mask[1])
    feeding = _through_linear(f"{name}.up", layer.norm2.result, back, parameters, out)
    middle = _through_norm(f"{name}.norm2", layer.middle, layer.norm2, feeding, parameters, out)
    per_position = middle.view(len(middle), 2, -1, middle.shape[-1])
    per_position.add_(upstream.view(len(middle), -1, *per_position.shape[2:]))
    return middle


def _through_attention(layer: Layer, upstream: Tensor) -> Tensor:
    """Gradient of queries, keys and values, (S, T, 3 d), from that of (S, 2, B, h, d / h)."""
    weights = layer.weights
    keys, values = layer.apart.unbind(3)
    back = torch.empty_like(layer.qkv)
    queries, to_keys, to_values = back.unbind(3)
    torch.sum(weights * upstream, 1, out=to_values[:, 0])
    torch.sub(upstream.sum(1), to_values[:, 0], out=to_values[:, 1])
    score = (upstream * values).sum(-1, keepdim=True)
    score = _sigmoid_backward(score, weights).mul_(1 / math.sqrt(back.shape[-1]))
    torch.mul(score, keys, out=queries)
    torch.sum(score * layer.qkv.select(3, 0), 1, out=to_keys[:, 0])
    torch.neg(to_keys[:, 0], out=to_keys[:, 1])
    return back.view(len(back), -1, 3 * layer.inputs.shape[-1])


def _through_embedding(rows: Tensor, upstream: Tensor, out: Mapping[str, Tensor]) -> None:
    runs, _, d = upstream.shape
    torch.sum(upstream.view(runs, 2, -1, d), 2, out=out["position.weight"])
    table = out["embedding.weight"]
    tokens = upstream.reshape(-1, d)
    summed = _embedding_backward(tokens, rows, runs * table.shape[1], -1, False)
    table.copy_(summed.view(table.shape))
