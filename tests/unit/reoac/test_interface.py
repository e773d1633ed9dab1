"""The seed document's config keys by their names, its configurations, and what a training says."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.reoac.checkpoints import COMMIT, save_bert, save_remote
from versus.core import stages
from versus.core.arguments import load
from versus.core.config import Tree, leaves
from versus.core.errors import ConfigError
from versus.core.experiment import find
from versus.core.search.space import values_of
from versus.experiments.reoac.config import Comparison
from versus.experiments.reoac.console import notes, progress_line
from versus.experiments.reoac.data.rows import convert
from versus.experiments.reoac.data.sources import Raw
from versus.experiments.reoac.learning.learner import PolicyLearner
from versus.experiments.reoac.legacy import ALIASES
from versus.experiments.reoac.outputs import primary_metrics
from versus.experiments.reoac.rollouts.returns import RECOMMENDED, check_cost


def loaded(*words: str, profile: str = "") -> Any:
    return load("reoac", None, profile, words)[1]


def value(comparison: Comparison, key: str) -> Any:
    found: Any = comparison
    for name in key.split("."):
        found = getattr(found, name)
    return found


KEYS: list[tuple[str, str, Any]] = [
    ("seed 3", "seeds", (3,)),
    ("device cpu", "device", "cpu"),
    ("logging.checkpoint_interval 5", "checkpoint.epochs", 5),
    ("dataset.task math", "train.task", "math"),
    ("backbone.name mdlm", "backbone.name", "mdlm"),
    ("backbone.model_name_or_path a/b", "backbone.model_name_or_path", "a/b"),
    ("backbone.tokenizer_name_or_path gpt2", "backbone.tokenizer_name_or_path", "gpt2"),
    ("backbone.tokenizer_fallback gpt2", "backbone.tokenizer_fallback", "gpt2"),
    ("backbone.tokenizer_source e2d2", "backbone.tokenizer_source", "e2d2"),
    ("backbone.trust_remote_code true", "backbone.allow_remote_code", True),
    ("backbone.suppress_load_warnings true", "backbone.suppress_load_warnings", True),
    ("backbone.max_length 64", "backbone.max_length", 64),
    ("backbone.sample_strategy sample", "train.rollout.temperature", 1.0),
    ("backbone.temperature 0.7", "train.rollout.temperature", 0.7),
    ("backbone.torch_dtype bfloat16", "backbone.torch_dtype", "bfloat16"),
    ("backbone.num_steps 8", "backbone.num_steps", 8),
    ("backbone.sigma_schedule linear", "backbone.sigma_schedule", "linear"),
    ("backbone.sigma_max 0.9", "backbone.sigma_max", 0.9),
    ("backbone.sigma_min 0.1", "backbone.sigma_min", 0.1),
    ("operators [{id: O_FAST, base_cost: 2.0}]", "model.operators.ids", ("O_FAST",)),
    ("rollout.max_steps 5", "train.rollout.max_steps", 5),
    ("rollout.gen_len 26", "train.rollout.gen_len", 26),
    ("rollout.branch_steps 0 2", "train.rollout.branch_steps", (0, 2)),
    ("rollout.branch_k 3", "train.rollout.branch_k", 3),
    ("rollout.selection_mode argmax", "train.rollout.selection_mode", "argmax"),
    ("rollout.seed 4", "train.rollout.seed", 4),
    ("rollout.use_hidden true", "train.rollout.use_hidden", True),
    ("rollout.cost_lambda 0.01", "train.rollout.cost_lambda", 0.01),
    ("rollout.batch_size 16", "train.rollout.batch_size", 16),
    ("rollout.fast_critic true", "model.features.mode", "hidden"),
    ("rollout.save_relation true", "train.rollout.save_relation", True),
    ("rollout.ensure_update false", "train.rollout.ensure_update", False),
    ("rollout.fallback_operator O_SCOPE", "train.rollout.fallback_operator", "O_SCOPE"),
    ("actor.hidden_size 32", "model.actor.hidden_size", 32),
    ("actor.dropout 0.1", "model.actor.dropout", 0.1),
    ("critic.hidden_size 32", "model.critic.hidden_size", 32),
    ("critic.dropout 0.1", "model.critic.dropout", 0.1),
    ("finetune_mode full", "train.finetune_mode", "full"),
    ("finetune_mode lora", "train.learns_references", True),
    ("lora.r 4", "train.lora.r", 4),
    ("lora.alpha 8", "train.lora.alpha", 8),
    ("lora.dropout 0.1", "train.lora.dropout", 0.1),
    ("lora.target_modules Wqkv Wo", "train.lora.target_modules", ("Wqkv", "Wo")),
    ("lora.target_modules []", "train.lora.target_modules", ()),
    ("losses.critic_weight 0.5", "train.losses.critic_weight", 0.5),
    ("losses.actor_weight 0.5", "train.losses.actor_weight", 0.5),
    ("losses.backbone_weight 1.1", "train.losses.backbone_weight", 1.1),
    ("losses.actor_temperature 1.1", "train.losses.actor_temperature", 1.1),
    ("losses.advantage_positive true", "train.losses.advantage_positive", True),
    ("losses.advantage_clip 0.1", "train.losses.advantage_clip", 0.1),
    ("optim.actor_lr 1e-4", "train.optim.actor_lr", 1e-4),
    ("optim.critic_lr 1e-4", "train.optim.critic_lr", 1e-4),
    ("optim.backbone_lr 5e-6", "train.optim.backbone_lr", 5e-6),
    ("update.critic_steps 3", "train.update.critic_steps", 3),
    ("update.actor_steps 2", "train.update.actor_steps", 2),
    ("update.backbone_steps 2", "train.update.backbone_steps", 2),
    ("buffer_size 100", "train.buffer_size", 100),
    ("num_iterations 25", "train.num_iterations", 25),
    ("eval.math_parser latex2sympy2", "train.parser", "latex2sympy2"),
    ("eval.math_parser latex", "train.parser", "sympy_latex"),
    ("eval.math_parser deepseek", "train.parser", "auto"),
    ("reward.mode shaped", "train.reward.mode", "shaped"),
]
WITHOUT_EFFECT = [
    *("logging.output_dir", "logging.exp_name", "logging.save_backbone"),
    *("logging.save_actor_critic", "dataset.raw_train_path", "dataset.raw_eval_path"),
    *("dataset.prompt_field", "dataset.answer_field", "dataset.task_field", "dataset.allow_toy"),
    *("dataset.download_on_missing", "dataset.hf_dataset", "dataset.hf_config"),
    *("dataset.math_subjects", "dataset.dump_math_subjects", "dataset.math_subject_root"),
    *("rollout.gpu_critic", "rollout.fast_operator", "actor.entropy_weight", "critic.heads"),
    *("lora.task_type", "eval.checkpoint_dir"),
]


@pytest.mark.parametrize(("words", "key", "expected"), KEYS, ids=lambda case: str(case))
def test_every_key_works_by_its_name(words: str, key: str, expected: Any) -> None:
    flag, _, rest = words.partition(" ")
    bare = [rest] if rest.startswith("[{") else rest.split()
    assert value(loaded(f"--{flag}", *bare), key) == expected


def test_keys_without_effect_are_accepted_and_change_nothing() -> None:
    plain = loaded(profile="smoke")
    for key in WITHOUT_EFFECT:
        given = loaded(f"--{key}", "true", profile="smoke")
        assert given.digest() == plain.digest()
        (told,) = given.legacy.notes(ALIASES)
        assert "No effect" in told
    assert plain.legacy.notes(ALIASES) == []
    assert "legacy" not in {key.partition(".")[0] for key, v in _recorded(plain) if v != {}}


def _recorded(comparison: Comparison) -> list[tuple[str, Any]]:
    tree: Tree = comparison.model_dump(mode="json")
    return list(leaves(tree))


@pytest.mark.parametrize(
    "words",
    [
        ["--backbone.num_steps", "8"],
        ["--backbone.sigma_schedule", "linear", "--backbone.sigma_max", "0.9"],
        ["--backbone.sigma_min", "0.1"],
    ],
)
def test_a_schedule_of_times_has_no_effect_and_a_training_says_so(
    words: list[str], tmp_path: Path
) -> None:
    native = ["--backbone.source", "native", "--backbone.model_name_or_path", "a/b"]
    (_, told) = notes(loaded(*native, *words), tmp_path)
    assert told.startswith(f"{', '.join(words[::2])}: No effect: models that read the time")


@pytest.mark.parametrize(
    ("episodes", "samples", "expected"), [(8, 4, (2, 4)), (2, 4, (1, 2)), (32, 2, (16, 2))]
)
def test_episodes_are_problems_times_samples(
    episodes: int, samples: int, expected: tuple[int, int]
) -> None:
    words = ["--episodes_per_iter", str(episodes), "--train.samples", str(samples)]
    train = loaded(*words).train
    assert (train.problems, train.samples) == expected


def test_episodes_that_are_no_multiple_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"episodes_per_iter: .* = 4 times.* received 6; change"):
        loaded("--episodes_per_iter", "6")


def test_a_variant_may_use_the_seed_documents_names() -> None:
    tree = {"legacy": {"fast_critic": True, "episodes_per_iter": 12}}
    comparison = Comparison.model_validate(
        {"experiment": "reoac", "seeds": 1, "variants": {"plain": {}, "fast": tree}}
    )
    plain, fast = (run.config for run in comparison.expand())
    assert (plain.model.features.mode, fast.model.features.mode) == ("relational", "hidden")
    assert (plain.train.problems, fast.train.problems) == (48, 3)
    again = Comparison.model_validate(fast.model_dump(mode="json"))
    assert again == fast
    slow = Comparison.model_validate(
        {**fast.model_dump(mode="json"), "legacy": {"fast_critic": False}}
    )
    assert slow.model.features.mode == "relational"


def test_argmax_wins_over_a_temperature() -> None:
    words = ["--backbone.temperature", "0.7", "--backbone.sample_strategy"]
    assert loaded(*words, "argmax").train.rollout.temperature == 0
    assert loaded(*words, "sample").train.rollout.temperature == 0.7


def test_paths_of_processed_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"id": "a", "prompt": "1 + 1?", "target_answer": "2", "task": "gsm8k", '
        '"metadata": {"level": 1}}\n'
    )
    words = ["--dataset.train_path", str(path), "--dataset.eval_path", str(path)]
    data = loaded(*words).data
    assert (data.source, data.tasks) == ("files", ("gsm8k",))
    assert (data.gsm8k.train, data.gsm8k.test) == (str(path), str(path))
    (row,) = convert("gsm8k", "test", [Raw(path, "rows")])
    assert (row["prompt"], row["target_answer"]) == ("1 + 1?", "2")
    assert (row["solution"], row["metadata"]) == ("#### 2", {"level": 1})
    (row,) = convert("math", "test", [Raw(path, "rows")])
    assert row["solution"] == "\\boxed{2}"


def test_a_task_that_is_not_prepared_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"train.task: math is not prepared; data.tasks must"):
        loaded("--dataset.task", "math", "--data.tasks", "gsm8k")


# --- the seed document's configurations -----------------------------------------------------------

CONSENT = ["--backbone.revision", COMMIT, "--backbone.allow_remote_code", "true"]
SEEDS_OWN = {
    "e2d2": {
        "train.task": "gsm8k",
        "train.rollout.gen_len": 128,
        "train.rollout.branch_k": 3,
        "train.rollout.fallback_operator": "O_FAST",
        "train.finetune_mode": "full",
        "train.losses.actor_temperature": 1.1,
        "train.losses.advantage_clip": 0.1,
        "train.optim.backbone_lr": 5e-6,
        "train.num_iterations": 25,
        "train.buffer_size": 100,
    },
    "math": {
        "train.task": "math",
        "train.rollout.max_steps": 8,
        "train.rollout.gen_len": 48,
        "train.rollout.branch_steps": (2, 5),
        "train.finetune_mode": "lora",
        "train.num_iterations": 1,
        "model.critic.hidden_size": 64,
    },
}


@pytest.mark.parametrize("profile", SEEDS_OWN)
def test_the_seed_documents_configurations_want_consent_and_leave_a_reward(profile: str) -> None:
    with pytest.raises(ConfigError, match=r"allow_remote_code: .*revision: source remote wants"):
        loaded(profile=profile)
    comparison = loaded(*CONSENT, profile=profile)
    assert {key: value(comparison, key) for key in SEEDS_OWN[profile]} == SEEDS_OWN[profile]
    share = check_cost(comparison.train.rollout, comparison.model.operators)
    assert share <= RECOMMENDED
    assert comparison.backbone.model_name_or_path == "kuleshov-group/e2d2-owt"


@pytest.mark.parametrize("profile", SEEDS_OWN)
def test_they_run_on_a_small_checkpoint(profile: str, tmp_path: Path) -> None:
    """Everything as shipped but the weights and the lengths; with adapters, on linear layers."""
    make = {"e2d2": save_remote, "math": save_bert}[profile]
    model = str(make(tmp_path / "tiny"))
    smaller = {
        "backbone.source": {"e2d2": "remote", "math": "native"}[profile],
        "backbone.name": "mdlm",
        "backbone.model_name_or_path": model,
        "backbone.tokenizer_name_or_path": model,
        "data.source": "generated",
        "data.generated.train": "60",
        "data.generated.test": "6",
        "data.generated.levels": "0",
        "train.validation": "4",
        "train.rollout.gen_len": "8",
        "train.rollout.max_steps": "4",
        "train.rollout.branch_steps": "1",
        "train.num_iterations": "2",
        "device": "cpu",
    }
    words = [word for key, text in smaller.items() for word in (f"--{key}", text)]
    comparison = loaded(*CONSENT, *words, profile=profile)
    stages.prepare(find("reoac"), comparison, tmp_path / "data")
    learner = PolicyLearner(comparison.expand()[0], tmp_path / "data")
    (batch,) = learner.batches(0)
    found = learner.train_step(batch)
    names = ("critic", "actor", "backbone", "total")
    assert all(abs(float(found[f"train/{name}_loss"])) < 1e3 for name in names)
    assert not bool(learner.diverged)
    assert set(learner.evaluate()) >= {"val/return", "val/accuracy", "val/passes"}
    rule = loaded(*CONSENT, *words, "--model.policy.kind", "threshold", profile=profile)
    measured = PolicyLearner(rule.expand()[0], tmp_path / "data").evaluate()
    assert set(measured) >= {"val/accuracy", "val/passes", "test/accuracy", "test/passes"}
    assert not any(name.startswith("best/") for name in measured)


def test_returns_of_variants_that_pay_other_prices_are_not_compared() -> None:
    same = ["--variants", "{a: {}, b: {model: {policy: {kind: threshold}}}}"]
    assert primary_metrics(loaded(*same)) == ("test/return",)
    other = ["--variants", "{a: {}, b: {train: {rollout: {cost_lambda: 0.01}}}}"]
    assert primary_metrics(loaded(*other)) == ("test/accuracy",)
    assert loaded(*other).prices() == {"a": ("passes", 0.05), "b": ("passes", 0.01)}


def test_the_space_of_searches_offers_the_default() -> None:
    comparison = loaded(profile="default")
    tree = comparison.model_dump(mode="json")
    settings = {one.key: dict(leaves(tree))[one.key] for one in comparison.search.space.values()}
    values = values_of(comparison.search.space, settings)
    assert values is not None
    assert values["policy"] == "learned"
    assert set(comparison.search.space) - set(values) == {"sure", "count"}


# --- what a training says -------------------------------------------------------------------------


def test_losses_have_their_full_names() -> None:
    comparison = loaded(profile="smoke")
    run = comparison.expand()[0]
    found = {"train/reward": 0.5, "train/cost": 2.0, "train/critic_loss": 0.25}
    found |= {"train/actor_loss": -0.5, "train/backbone_loss": 0.0}
    others: list[dict[str, Any]] = [{}, {"train/reward": 1.0}, {"train/reward": None}]
    records: list[dict[str, Any]] = [
        {"step": 3, "epoch": 2, "variant": "default", "seed": seed, "metrics": {**found, **more}}
        for seed, more in enumerate(others)
    ]
    assert progress_line([run], "default", records) == (
        "  default: iteration 3 of 6, reward 0.75, cost 2, critic loss 0.25, actor loss -0.5, "
        "backbone loss 0"
    )
    lost = [{**records[0], "metrics": {"train/total_loss": None}}]
    assert progress_line([run], "default", lost).endswith("of 6, diverged")


def test_dear_passes_are_warned_of(tmp_path: Path) -> None:
    remote = ["--backbone.source", "native", "--backbone.model_name_or_path", "a/b"]
    about, dear = notes(loaded(*remote, "--rollout.cost_lambda", "0.1"), tmp_path)
    assert about == "backbone: a/b (native)"
    assert "costs can take 60% of the reward (max_steps 6 * 1 per pass)" in dear
    assert "at most 0.0833 keeps it at 50%" in dear
    assert len(notes(loaded(*remote), tmp_path)) == 1
    with pytest.raises(ConfigError, match=r"512 \* 1 per pass = 25\.6, more than the largest"):
        loaded("--rollout.max_steps", "512")
