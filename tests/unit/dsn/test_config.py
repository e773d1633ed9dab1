"""What comparisons of dsn can be asked for, and the seed document's arguments."""

from pathlib import Path
from typing import Any

import pytest

from versus.core.arguments import load
from versus.core.errors import ConfigError
from versus.core.paths import project_root
from versus.experiments.dsn.baselines import RULES
from versus.experiments.dsn.config import ALIASES, Comparison, ScorerConfig
from versus.experiments.dsn.legacy import Legacy


def loaded(*words: str, profile: str = "smoke") -> Comparison:
    _, comparison = load("dsn", None, profile, list(words))
    assert isinstance(comparison, Comparison)
    return comparison


def value(comparison: Comparison, key: str) -> Any:
    found: Any = comparison
    for name in key.split("."):
        found = getattr(found, name)
    return found


KEYS = [
    ("epochs 7", "train.epochs", 7),
    ("device cpu", "device", "cpu"),
    ("model_type baseline", "model.kind", "baseline"),
    ("enc_hidden 128", "model.hidden", 128),
    ("lstm_hidden 64", "model.lstm_hidden", 64),
    ("dropout 0.2", "model.dropout", 0.2),
    ("num_attn_heads 8", "model.heads", 8),
    ("num_attn_layers 3", "model.layers", 3),
    ("num_scales 4", "model.scales", 4),
    ("use_cache 0", "train.use_cache", False),
    ("cache_size 10", "train.cache_size", 10),
    ("pos_encoding_type learned", "model.positions", "learned"),
    ("use_lstm_in_advanced 0", "model.lstm", False),
    ("use_raft_motion 1", "model.motion", "cross_attention"),
    ("use_raft_motion 0", "model.motion", "none"),
    ("use_raft_motion 1 --motion_fusion_type simple", "model.motion", "simple"),
    ("entropy_coef 0.1", "train.entropy", 0.1),
    ("baseline_momentum 0.5", "train.momentum", 0.5),
    ("budget_ratio 0.1", "model.selection.ratio", 0.1),
    ("budget_penalty 0.5", "train.rewards.weights.budget", 0.5),
    ("Bmin 2", "model.selection.least", 2),
    ("Bmax 9", "model.selection.most", 9),
    ("w_div 2", "train.rewards.weights.div", 2.0),
    ("w_rep 2", "train.rewards.weights.rep", 2.0),
    ("w_rec 2", "train.rewards.weights.rec", 2.0),
    ("w_fd 2", "train.rewards.weights.frechet", 2.0),
    ("w_ms 2", "train.rewards.weights.color_swd", 2.0),
    ("w_motion 2", "train.rewards.weights.motion", 2.0),
    ("use_motion 0", "train.rewards.weights.motion", 0.0),
    ("use_motion 1", "train.rewards.weights.motion", 0.2),
    ("ms_swd_scales 2", "data.features.colours.levels", 2),
    ("ms_swd_dirs 8", "data.features.colours.directions", 8),
    ("lr 1e-4", "train.lr", 1e-4),
    ("weight_decay 1e-5", "train.weight_decay", 1e-5),
    ("max_grad_norm 5", "train.max_grad_norm", 5.0),
    ("log_dir runs/ablation", "log.tensorboard", "runs/ablation"),
    ("validate_every 3", "train.evaluate_every", 3),
    ("fps 20", "data.features.fps", 20.0),
    ("threshold 30", "data.scenes.threshold", 30.0),
    ("min_scene_len 48", "data.scenes.min_scene_len", 48),
    ("backend pyscenedetect", "data.scenes.detector", "content"),
    ("extractor auto", "data.features.extractor", "classic"),
    ("seed 3", "seeds", (3,)),
]
WITHOUT_EFFECT = [
    name for name, field in Legacy.model_fields.items() if "No effect" in (field.description or "")
]
NONE_OF_THEIR_OWN = ("backend",)


@pytest.mark.parametrize(("words", "key", "expected"), KEYS, ids=lambda case: str(case))
def test_every_argument_works_by_its_name(words: str, key: str, expected: Any) -> None:
    assert value(loaded(*f"--{words}".split()), key) == expected


def test_every_argument_is_tested() -> None:
    tested = {words.split()[0] for words, *_ in KEYS} | {"motion_fusion_type", "device"}
    assert set(ALIASES) - tested - {"dataset_root", "video_dir"} <= set(WITHOUT_EFFECT)


def test_folders_of_the_seed_document_are_sources() -> None:
    project_root().mkdir(parents=True, exist_ok=True)
    layout = loaded("--dataset_root", "outputs/sakuga").data
    videos = loaded("--video_dir", "videos").data
    assert (layout.source, layout.videos.folder) == ("seed_layout", "outputs/sakuga")
    assert (videos.source, videos.videos.folder) == ("videos", "videos")


@pytest.mark.parametrize("name", [n for n in WITHOUT_EFFECT if n not in NONE_OF_THEIR_OWN])
def test_arguments_without_effect_are_accepted_and_say_so(name: str) -> None:
    given = loaded(f"--{name}", "1")
    assert given.digest() == loaded().digest()
    (told,) = given.legacy.notes(ALIASES)
    assert told.startswith(f"--{name}: No effect")


def test_budget_of_rewards_is_that_of_the_selection() -> None:
    comparison = loaded("--budget_ratio", "0.2", "--Bmin", "2", "--Bmax", "4")
    rewards = comparison.reward_settings
    assert (rewards.ratio, rewards.least, rewards.most) == (0.2, 2, 4)
    with pytest.raises(ConfigError, match=r"train\.rewards\.ratio"):
        loaded("--train.rewards.ratio", "0.1")


def test_rules_are_those_that_there_are() -> None:
    for rule in (*RULES, "untrained", ""):
        assert ScorerConfig.model_validate({"rule": rule}).rule == rule


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--budget_ratio", "0"], r"model\.selection\.ratio.*above 0"),
        (["--train.policy.episodes", "1"], r"leave_one_out.*needs 2.*moving_average"),
        (["--data.features.colours.enabled", "false"], r"color_swd: needs colours; set"),
        (["--num_attn_heads", "3"], r"heads must divide hidden"),
        (["--model_type", "huge"], r"model\.kind"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        loaded(*words)


def test_all_profiles_load_and_expand() -> None:
    profiles = sorted(
        p.parent.name for p in (Path(__file__).parents[3] / "params").glob("*/dsn.yaml")
    )
    assert profiles == ["ablation", "default", "full", "motion", "quick", "smoke"]
    for profile in profiles:
        runs = loaded(profile=profile).expand()
        assert len({run.key.variant for run in runs}) >= (1 if profile == "motion" else 3)
        assert {run.key.seed for run in runs} == set(range(3 if profile == "smoke" else 8))


def test_a_search_goes_by_the_composite_where_no_key_pose_is_known() -> None:
    assert loaded().search.metrics == ("val/F1_mean",)
    assert loaded("--data.source", "videos").search.metrics == ("val/composite_mean",)
    chosen = loaded("--data.source", "videos", "--search.metrics", "val/RecErr_mean")
    assert chosen.search.metrics == ("val/RecErr_mean",)


def test_the_last_two_networks_of_the_ablation_differ_in_the_cache_alone() -> None:
    study = loaded(profile="ablation")
    arms = {arm.name: study.with_overrides(arm) for arm in study.arms()}
    plain, cached = arms["attention-multi-scale"].train, arms["full"].train
    assert not plain.use_cache
    assert plain.model_copy(update={"use_cache": True}) == cached
    assert arms["attention-multi-scale"].model == arms["full"].model
