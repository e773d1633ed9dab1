"""The seed's Python names: ``DSNConfig``, ``DSNAdvanced``, and what its weights are called here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from versus.core.config import validate
from versus.core.errors import ConfigError, DataError
from versus.experiments.dsn.models.advanced import Advanced
from versus.experiments.dsn.models.config import ModelConfig

FUSIONS = {"concat": "concat", "sum": "sum", "attention": "softmax"}
"""The seed's names of fusions of scales, and ours."""
_NAMES = [
    (r"encoder\.fc\.", r"encoder."),
    (r"encoder\.mlp\.0\.", r"encoder.first.linear."),
    (r"encoder\.mlp\.1\.", r"encoder.first.norm."),
    (r"encoder\.mlp\.4\.", r"encoder.second.linear."),
    (r"encoder\.mlp\.5\.", r"encoder.second.norm."),
    (r"encoder\.residual_proj\.", r"encoder.past."),
    (r"policy\.motion_fusion\.(query|key|value|out)_proj\.", r"motion.attention.\1."),
    (r"policy\.motion_fusion\.motion_residual_proj\.", r"motion.straight."),
    (r"policy\.motion_fusion\.gate\.0\.", r"motion.gate."),
    (r"policy\.motion_fusion\.layer_norm1\.", r"motion.attended."),
    (r"policy\.motion_fusion\.layer_norm2\.", r"motion.done."),
    (r"policy\.motion_fusion\.(?:ffn|fusion)\.", r"motion.layers."),
    (r"policy\.pos_encoder\.pe$", r"positions.table"),
    (r"policy\.multi_scale\.scale_convs\.", r"scales.convolutions."),
    (r"policy\.multi_scale\.fusion_layer\.", r"scales.join."),
    (r"policy\.multi_scale\.scale_attention\.", r"scales.weigh."),
    (r"policy\.multi_scale\.layer_norm\.", r"scales.norm."),
    (r"policy\.attn_layers\.(\d+)\.self_attn\.layer_norm\.", r"layers.\1.attended."),
    (r"policy\.attn_layers\.(\d+)\.self_attn\.q_linear\.", r"layers.\1.attention.query."),
    (r"policy\.attn_layers\.(\d+)\.self_attn\.k_linear\.", r"layers.\1.attention.key."),
    (r"policy\.attn_layers\.(\d+)\.self_attn\.v_linear\.", r"layers.\1.attention.value."),
    (r"policy\.attn_layers\.(\d+)\.self_attn\.out_linear\.", r"layers.\1.attention.out."),
    (r"policy\.attn_layers\.(\d+)\.ffn\.linear1\.", r"layers.\1.wide."),
    (r"policy\.attn_layers\.(\d+)\.ffn\.linear2\.", r"layers.\1.narrow."),
    (r"policy\.attn_layers\.(\d+)\.ffn\.layer_norm\.", r"layers.\1.done."),
    (r"policy\.lstm\.(\w+_l0)_reverse$", r"lstm.back.\1"),
    (r"policy\.lstm\.(\w+_l0)$", r"lstm.ahead.\1"),
    (r"policy\.head\.", r"head."),
]


@dataclass
class DSNConfig:
    """The seed's settings of its advanced network, by its names and with its defaults.

    ``use_cache``, ``cache_size``, ``max_seq_len`` with sinusoidal positions,
    ``use_gradient_checkpointing`` and ``use_sparse_attention`` change nothing: outputs of a network
    that is being trained must not be cached, there is no longest sequence, and the seed reads the
    last two nowhere.
    """

    feat_dim: int = 512
    hidden_dim: int = 256
    lstm_hidden: int = 128
    num_attn_heads: int = 4
    num_attn_layers: int = 2
    attn_dropout: float = 0.1
    num_scales: int = 3
    scale_fusion: str = "concat"
    pos_encoding_type: str = "sinusoidal"
    max_seq_len: int = 1000
    use_lstm: bool = True
    lstm_layers: int = 1
    bidirectional: bool = True
    dropout: float = 0.3
    use_cache: bool = True
    cache_size: int = 1000
    use_gradient_checkpointing: bool = False
    use_sparse_attention: bool = False
    use_motion: bool = False
    motion_dim: int = 128
    motion_fusion_type: str = "cross_attention"


def model_config(config: DSNConfig) -> ModelConfig:
    """The same settings by our names.

    Raises:
        ConfigError: if one of them asks for what there is not.
    """
    if config.lstm_layers != 1 or not config.bidirectional:
        raise ConfigError(
            "lstm_layers and bidirectional: only 1 and True are there; "
            f"received {config.lstm_layers!r} and {config.bidirectional!r}"
        )
    settings = {
        "kind": "advanced",
        "hidden": config.hidden_dim,
        "lstm_hidden": config.lstm_hidden,
        "dropout": config.dropout,
        "motion": config.motion_fusion_type if config.use_motion else "none",
        "lstm": config.use_lstm,
        "heads": config.num_attn_heads,
        "layers": config.num_attn_layers,
        "attention_dropout": config.attn_dropout,
        "scales": config.num_scales,
        "fusion": FUSIONS.get(config.scale_fusion, config.scale_fusion),
        "positions": config.pos_encoding_type,
        "table": config.max_seq_len,
    }
    return validate(ModelConfig, settings)


def our_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The seed's weights under our names; its table of sines is left out.

    Raises:
        DataError: if a name is not the seed's.
    """
    found = {}
    for name, tensor in weights.items():
        ours = _our_name(name)
        if ours == "positions.table":
            tensor = tensor[0] if tensor.dim() == 3 else tensor
        found[ours] = tensor
    return found


def _our_name(name: str) -> str:
    for pattern, ours in _NAMES:
        renamed, count = re.subn(r"^" + pattern, ours, name)
        if count:
            return renamed
    raise DataError(f"{name[:100]!r} is not a weight of the seed's networks")


class DSNAdvanced(Module):
    """The advanced network as the seed's code calls it: probabilities of ``(B, T, D)`` features.

    ``load_state_dict`` takes the weights of the seed's checkpoints as well as its own.

    Args:
        config: the seed's settings.
    """

    def __init__(self, config: DSNConfig) -> None:
        super().__init__()
        self.config = config
        motion = config.motion_dim if config.use_motion else 0
        self.scorer = Advanced(model_config(config), config.feat_dim, motion)
        self.register_load_state_dict_pre_hook(_accept_seed)  # type: ignore[no-untyped-call]

    def forward(
        self, x: Tensor, scene_id: str | None = None, motion_feats: Tensor | None = None
    ) -> Tensor:
        """Probability of every frame, ``[B, T]``.

        Args:
            x: ``[B, T, D]``, without padding.
            scene_id: not used, because nothing is cached.
            motion_feats: ``[B, T, M]``.

        Raises:
            DataError: if the network reads motion and gets none.
        """
        if self.config.use_motion and motion_feats is None:
            raise DataError("motion_feats: this network reads motion; received none")
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        motion = x.new_zeros(*x.shape[:2], 0) if motion_feats is None else motion_feats
        logits: Tensor = self.scorer(x, motion, mask)
        return logits.sigmoid()

    def get_cache_stats(self) -> None:
        """None, as the seed's network answers where it has no cache."""

    def clear_cache(self) -> None:
        """Nothing: there is no cache."""


def _accept_seed(module: Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Rename the seed's weights, in place."""
    seed = [name for name in state if name.startswith((f"{prefix}encoder.", f"{prefix}policy."))]
    ours = our_names({name.removeprefix(prefix): state.pop(name) for name in seed})
    if seed and "scorer.positions.table" not in module.state_dict():
        ours.pop("positions.table", None)
    state.update({f"{prefix}scorer.{name}": tensor for name, tensor in ours.items()})
