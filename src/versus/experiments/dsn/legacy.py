"""Names of the seed document's arguments: where they lie here, and those that do nothing."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from versus.core import config as configs
from versus.core.legacy import LegacySection


class Legacy(LegacySection):
    """Arguments of the seed document that are said otherwise here, or that do nothing."""

    dataset_root: str | None = None
    """Another way to set data.source seed_layout and data.videos.folder."""
    video_dir: str | None = None
    """Another way to set data.source videos and data.videos.folder."""
    use_raft_motion: bool | None = None
    """Another way to set model.motion: true = legacy.motion_fusion_type, false = none."""
    motion_fusion_type: str | None = Field(None, pattern="^(cross_attention|simple)$")
    """With use_raft_motion, another way to set model.motion."""
    use_motion: bool | None = None
    """Another way to set train.rewards.weights.motion to 0."""
    extractor: str | None = Field(None, pattern="^(auto|clip|classic)$")
    """Another way to set data.features.extractor; auto = classic."""
    backend: str | None = Field(None, pattern="^(pyscenedetect|transnetv2|random)$")
    """Another way to set data.scenes.detector: pyscenedetect = content; the others have no effect,
    as there is neither a TransNetV2 nor a random detector here."""
    save_dir: Any = None
    """No effect; use --out."""
    out_dir: Any = None
    """No effect; use --out."""
    feat_dim: Any = None
    """No effect: the data say how many numbers describe a frame."""
    motion_dim: Any = None
    """No effect: the data say how many numbers describe its motion."""
    use_lpips_div: Any = None
    """No effect: diversity is that of the features, for which no LPIPS is needed."""
    lpips_net: Any = None
    """No effect: there is no LPIPS here."""
    lpips_device: Any = None
    """No effect: there is no LPIPS here."""
    val_videos_dir: Any = None
    """No effect: validation videos are a split of the data; use data.videos.validation."""
    val_output_dir: Any = None
    """No effect; use --out."""
    eval_embedder: Any = None
    """No effect: key frames are measured in the features of the data."""
    eval_backend: Any = None
    """No effect: validation videos are cut into scenes as all others; use data.scenes.detector."""
    eval_threshold: Any = None
    """No effect; use data.scenes.threshold."""
    eval_model_dir: Any = None
    """No effect: there is no TransNetV2 here."""
    eval_weights_path: Any = None
    """No effect: there is no TransNetV2 here."""
    eval_prob_threshold: Any = None
    """No effect: there is no TransNetV2 here."""
    eval_scene_device: Any = None
    """No effect; use device."""
    eval_sample_stride: Any = None
    """No effect: frames are those of training; use data.features.fps."""
    eval_resize_w: Any = None
    """No effect; use data.features.longest_side."""
    eval_resize_h: Any = None
    """No effect; use data.features.longest_side."""
    eval_device: Any = None
    """No effect; use device."""
    eval_with_baselines: Any = None
    """No effect: rules are variants with model.rule, measured as all others."""
    eval_max_videos: Any = None
    """No effect: all validation videos are measured."""
    eval_num_workers: Any = None
    """No effect: validation takes a moment, in one process."""
    stride: Any = None
    """No effect; use data.features.fps."""
    resize_w: Any = None
    """No effect; use data.features.longest_side."""
    resize_h: Any = None
    """No effect; use data.features.longest_side."""
    prob_threshold: Any = None
    """No effect: there is no TransNetV2 here."""
    save_jpeg_quality: Any = None
    """No effect: frames are not written beside the videos."""
    export_preview: Any = None
    """No effect: frames are not written beside the videos."""
    preview_which: Any = None
    """No effect: frames are not written beside the videos."""


ALIASES: Mapping[str, str] = {
    "seed": "seeds",
    **{f"{name}": f"legacy.{name}" for name in Legacy.model_fields},
    "epochs": "train.epochs",
    "model_type": "model.kind",
    "enc_hidden": "model.hidden",
    "lstm_hidden": "model.lstm_hidden",
    "dropout": "model.dropout",
    "num_attn_heads": "model.heads",
    "num_attn_layers": "model.layers",
    "num_scales": "model.scales",
    "pos_encoding_type": "model.positions",
    "use_lstm_in_advanced": "model.lstm",
    "use_cache": "train.use_cache",
    "cache_size": "train.cache_size",
    "entropy_coef": "train.entropy",
    "baseline_momentum": "train.momentum",
    "budget_ratio": "model.selection.ratio",
    "Bmin": "model.selection.least",
    "Bmax": "model.selection.most",
    "budget_penalty": "train.rewards.weights.budget",
    "w_div": "train.rewards.weights.div",
    "w_rep": "train.rewards.weights.rep",
    "w_rec": "train.rewards.weights.rec",
    "w_fd": "train.rewards.weights.frechet",
    "w_ms": "train.rewards.weights.color_swd",
    "w_motion": "train.rewards.weights.motion",
    "ms_swd_scales": "data.features.colours.levels",
    "ms_swd_dirs": "data.features.colours.directions",
    "lr": "train.lr",
    "weight_decay": "train.weight_decay",
    "max_grad_norm": "train.max_grad_norm",
    "log_dir": "log.tensorboard",
    "validate_every": "train.evaluate_every",
    "fps": "data.features.fps",
    "threshold": "data.scenes.threshold",
    "min_scene_len": "data.scenes.min_scene_len",
}
"""Flags -> dotted keys: training, then preparing of the data. ``device`` needs none."""


def translated(tree: Any) -> Any:
    """A comparison's tree with what its section ``legacy`` says otherwise set in its place."""
    given = tree.get("legacy") if isinstance(tree, Mapping) else None
    if not isinstance(given, Mapping):
        return tree
    rest, made = dict(given), dict(tree)
    for name, say in _SAID.items():
        if (value := rest.get(name)) is not None and (said := say(value, given)):
            made = configs.merge(made, said)
            del rest[name]
    if "use_raft_motion" not in rest and given.get("use_raft_motion") is not None:
        rest.pop("motion_fusion_type", None)
    return {**made, "legacy": rest}


def _folder(source: str) -> Any:
    def say(value: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
        # The fingerprint is of the folder that stood there.
        return {"data": {"source": source, "videos": {"folder": value, "fingerprint": None}}}

    return say


def _motion_input(value: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    fusion = given.get("motion_fusion_type") or "cross_attention"
    return {"model": {"motion": fusion if value else "none"}} if value in (True, False) else {}


def _motion_reward(value: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Only what switches it off says something: the weight is said apart."""
    return {"train": {"rewards": {"weights": {"motion": 0.0}}}} if value in (False,) else {}


def _extractor(value: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    known = {"auto": "classic", "classic": "classic", "clip": "clip"}
    return {"data": {"features": {"extractor": known[value]}}} if value in known else {}


def _detector(value: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"data": {"scenes": {"detector": "content"}}} if value == "pyscenedetect" else {}


_SAID = {
    "dataset_root": _folder("seed_layout"),
    "video_dir": _folder("videos"),
    "use_raft_motion": _motion_input,
    "use_motion": _motion_reward,
    "extractor": _extractor,
    "backend": _detector,
}
