"""The seed's networks: their sizes, and their formulas under their own weights."""

import pytest
import torch
from torch import Tensor

from tests.unit.dsn import naive
from versus.core import seeding
from versus.core.errors import ConfigError, DataError
from versus.experiments.dsn.models import DSNAdvanced, DSNConfig, ModelConfig, make_scorer


@pytest.mark.parametrize(
    ("changed", "count"),
    [
        ({}, 3_092_481),
        ({"use_lstm": False, "num_scales": 1}, 2_172_417),
        ({"num_attn_layers": 0}, 1_512_961),
        ({"num_attn_layers": 0, "num_scales": 1}, 988_161),
        ({"pos_encoding_type": "learned"}, 3_348_481),
        ({"use_motion": True}, 3_981_057),
    ],
)
def test_advanced_has_the_seeds_parameters(changed: dict[str, object], count: int) -> None:
    with torch.device("meta"):
        model = DSNAdvanced(DSNConfig(**changed))  # type: ignore[arg-type]
    assert sum(p.numel() for p in model.parameters()) == count


def test_baseline_has_the_seeds_parameters() -> None:
    scorer = make_scorer(ModelConfig(), 512, 0, 0)
    assert sum(p.numel() for p in scorer.parameters()) == 526_849


def seed_config(**changed: object) -> DSNConfig:
    small = {"feat_dim": 6, "hidden_dim": 8, "lstm_hidden": 4, "num_attn_heads": 2}
    return DSNConfig(**{**small, "max_seq_len": 20, "motion_dim": 3, **changed})  # type: ignore[arg-type]


def seed_weights(config: DSNConfig) -> dict[str, Tensor]:
    """Weights under the seed's names and in its shapes, as its code would save them."""
    width, hidden, half = config.feat_dim, config.hidden_dim, config.lstm_hidden
    source = seeding.generator("seed weights")
    found: dict[str, Tensor] = {}

    def layer(name: str, *shape: int) -> None:
        found[f"{name}.weight"] = torch.randn(*shape, generator=source) * 0.4
        found[f"{name}.bias"] = torch.randn(shape[0], generator=source) * 0.4

    for place, inputs in ((0, width), (4, hidden)):
        layer(f"encoder.mlp.{place}", hidden, inputs)
        norm = f"encoder.mlp.{place + 1}"
        layer(norm, hidden)
        found[f"{norm}.running_mean"] = torch.randn(hidden, generator=source)
        found[f"{norm}.running_var"] = torch.rand(hidden, generator=source) + 0.5
        found[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    if width != hidden:
        layer("encoder.residual_proj", hidden, width)
    if config.use_motion and config.motion_fusion_type == "simple":
        layer("policy.motion_fusion.fusion.0", 2 * hidden, config.motion_dim + hidden)
        layer("policy.motion_fusion.fusion.1", 2 * hidden)
        layer("policy.motion_fusion.fusion.4", hidden, 2 * hidden)
        layer("policy.motion_fusion.fusion.5", hidden)
    elif config.use_motion:
        p = "policy.motion_fusion"
        for part in ("query_proj", "motion_residual_proj"):
            layer(f"{p}.{part}", hidden, config.motion_dim)
        for part in ("key_proj", "value_proj", "out_proj"):
            layer(f"{p}.{part}", hidden, hidden)
        for part in ("layer_norm1", "layer_norm2"):
            layer(f"{p}.{part}", hidden)
        layer(f"{p}.gate.0", hidden, config.motion_dim + hidden)
        layer(f"{p}.ffn.0", 4 * hidden, hidden)
        layer(f"{p}.ffn.3", hidden, 4 * hidden)
    learned = torch.randn(1, config.max_seq_len, hidden, generator=source)
    plain = config.pos_encoding_type == "sinusoidal"
    found["policy.pos_encoder.pe"] = naive.sines(config.max_seq_len, hidden) if plain else learned
    for level in range(config.num_scales):
        layer(f"policy.multi_scale.scale_convs.{level}", hidden, hidden, 3)
    if config.scale_fusion == "concat":
        layer("policy.multi_scale.fusion_layer", hidden, hidden * config.num_scales)
    elif config.scale_fusion == "attention":
        layer("policy.multi_scale.scale_attention", config.num_scales, hidden)
    layer("policy.multi_scale.layer_norm", hidden)
    for n in range(config.num_attn_layers):
        p = f"policy.attn_layers.{n}"
        for part in "qkvo":
            word = "out" if part == "o" else part
            layer(f"{p}.self_attn.{word}_linear", hidden, hidden)
        layer(f"{p}.self_attn.layer_norm", hidden)
        layer(f"{p}.ffn.linear1", 4 * hidden, hidden)
        layer(f"{p}.ffn.linear2", hidden, 4 * hidden)
        layer(f"{p}.ffn.layer_norm", hidden)
    if config.use_lstm:
        for back in ("", "_reverse"):
            for part, inputs in (("ih", hidden), ("hh", half)):
                weight = torch.randn(4 * half, inputs, generator=source) * 0.4
                found[f"policy.lstm.weight_{part}_l0{back}"] = weight
                found[f"policy.lstm.bias_{part}_l0{back}"] = weight[:, 0].clone()
    layer("policy.head", 1, 2 * half if config.use_lstm else hidden)
    return found


SEEDS: list[dict[str, object]] = [
    {},
    {"scale_fusion": "attention", "pos_encoding_type": "learned"},
    {"scale_fusion": "sum", "use_lstm": False, "hidden_dim": 6},
    {"use_motion": True},
    {"use_motion": True, "motion_fusion_type": "simple", "num_attn_layers": 0},
]


@pytest.mark.parametrize("changed", SEEDS, ids=str)
def test_the_seeds_weights_give_the_seeds_probabilities(changed: dict[str, object]) -> None:
    config = seed_config(**changed)
    weights = seed_weights(config)
    model = DSNAdvanced(config).eval()
    model.load_state_dict(weights)
    x = torch.randn(2, 16, 6, generator=seeding.generator("x"))
    motion = torch.randn(2, 16, 3, generator=seeding.generator("m")) if config.use_motion else None
    found = model(x, scene_id="any", motion_feats=motion)
    for b in range(2):
        moved = None if motion is None else motion[b]
        expected = naive.seed_advanced(weights, config, x[b], moved).sigmoid()
        torch.testing.assert_close(found[b], expected, rtol=1e-4, atol=1e-5)
    model.load_state_dict(model.state_dict())


def test_the_seeds_class_refuses_what_it_cannot_do() -> None:
    weights = seed_weights(seed_config())
    with pytest.raises(DataError, match=r"policy\.attn_layers\.0\.self_attn\.x_linear"):
        DSNAdvanced(seed_config()).load_state_dict(
            {**weights, "policy.attn_layers.0.self_attn.x_linear.weight": torch.ones(1)}
        )
    with pytest.raises(RuntimeError, match="size mismatch"):
        DSNAdvanced(seed_config(hidden_dim=10)).load_state_dict(weights)
    with pytest.raises(DataError, match="received none"):
        DSNAdvanced(seed_config(use_motion=True))(torch.zeros(1, 3, 6))
    with pytest.raises(ConfigError, match="lstm_layers"):
        DSNAdvanced(seed_config(lstm_layers=2))
    with pytest.raises(ConfigError, match="positions"):
        DSNAdvanced(seed_config(pos_encoding_type="rotary"))
