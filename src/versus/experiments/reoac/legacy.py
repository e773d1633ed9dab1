"""Names of the seed document's config keys: where they lie here, and those that do nothing."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from versus.core import config as configs
from versus.core.legacy import LegacySection


class Legacy(LegacySection):
    """Keys of the seed document that are said otherwise here, or that do nothing."""

    episodes_per_iter: int | None = Field(None, ge=1)
    """Another way to set train.problems: roll-outs of an iteration, train.samples of each problem;
    fewer than train.samples are those of one problem."""
    fast_critic: bool | None = None
    """Another way to set model.features.mode: true = hidden, false = relational."""
    sample_strategy: str | None = Field(None, pattern="^(argmax|sample)$")
    """Another way to set train.rollout.temperature: argmax = 0, sample = 1 or what is given."""
    train_path: str | None = None
    """Another way to set data.source files, data.tasks and data.TASK.train of train.task: rows of
    the public data sets, or of the seed document's processed files."""
    eval_path: str | None = None
    """The same of data.TASK.test."""
    gpu_critic: Any = None
    """No effect: features are always computed on the device of the backbone."""
    fast_operator: Any = None
    """No effect: operators never read strings, so that there is nothing to skip."""
    entropy_weight: Any = None
    """No effect, as in the seed document's code; use train.losses.entropy."""
    heads: Any = None
    """No effect, as in the seed document's code: the critic has one hidden layer."""
    lora_task_type: Any = None
    """No effect: adapters are put into the layers whatever the model is for."""
    branch_depth: Any = None
    """No effect, as in the seed document's code; branches are followed to their ends."""
    output_dir: Any = None
    """No effect; use --out."""
    exp_name: Any = None
    """No effect: runs lie under runs/reoac and in the MLflow experiment reoac."""
    save_backbone: Any = None
    """No effect: what is trained of the backbone is always kept, what is frozen never."""
    save_actor_critic: Any = None
    """No effect: actor and critic are always kept."""
    raw_copies: Any = None
    """No effect: source files are always copied to raw/ of the data folder."""
    prompt_field: Any = None
    """No effect: prompts are question (GSM8K), problem (MATH) or prompt."""
    answer_field: Any = None
    """No effect: answers are in answer (GSM8K), solution (MATH) or target_answer."""
    task_field: Any = None
    """No effect; use train.task."""
    allow_toy: Any = None
    """No effect; use data.source generated."""
    download_on_missing: Any = None
    """No effect; use data.source huggingface."""
    hf_dataset: Any = None
    """No effect; use data.gsm8k.hub.repo or data.math.hub.repo with a revision."""
    hf_config: Any = None
    """No effect; use data.gsm8k.hub.train and .test, which name the files."""
    math_subjects: Any = None
    """No effect; use data.math.hub.train and .test, which name the files of the subjects."""
    checkpoint_dir: Any = None
    """No effect while training; use versus evaluate reoac --checkpoint DIR."""


ALIASES: Mapping[str, str] = {
    "seed": "seeds",
    "logging.checkpoint_interval": "checkpoint.epochs",
    "logging.output_dir": "legacy.output_dir",
    "logging.exp_name": "legacy.exp_name",
    "logging.save_backbone": "legacy.save_backbone",
    "logging.save_actor_critic": "legacy.save_actor_critic",
    "dataset.task": "train.task",
    "dataset.train_path": "legacy.train_path",
    "dataset.eval_path": "legacy.eval_path",
    "dataset.raw_train_path": "legacy.raw_copies",
    "dataset.raw_eval_path": "legacy.raw_copies",
    "dataset.prompt_field": "legacy.prompt_field",
    "dataset.answer_field": "legacy.answer_field",
    "dataset.task_field": "legacy.task_field",
    "dataset.allow_toy": "legacy.allow_toy",
    "dataset.download_on_missing": "legacy.download_on_missing",
    "dataset.hf_dataset": "legacy.hf_dataset",
    "dataset.hf_config": "legacy.hf_config",
    "dataset.math_subjects": "legacy.math_subjects",
    "dataset.dump_math_subjects": "legacy.math_subjects",
    "dataset.math_subject_root": "legacy.math_subjects",
    "backbone.trust_remote_code": "backbone.allow_remote_code",
    "backbone.sample_strategy": "legacy.sample_strategy",
    "backbone.temperature": "train.rollout.temperature",
    "operators": "model.operators.choices",
    **{
        f"rollout.{name}": f"train.rollout.{name}"
        for name in (
            "max_steps",
            "gen_len",
            "branch_steps",
            "branch_k",
            "selection_mode",
            "seed",
            "use_hidden",
            "cost_lambda",
            "batch_size",
            "cost",
            "temperature",
            "save_relation",
            "ensure_update",
            "fallback_operator",
        )
    },
    "rollout.fast_critic": "legacy.fast_critic",
    "rollout.gpu_critic": "legacy.gpu_critic",
    "rollout.fast_operator": "legacy.fast_operator",
    "actor.hidden_size": "model.actor.hidden_size",
    "actor.dropout": "model.actor.dropout",
    "actor.entropy_weight": "legacy.entropy_weight",
    "critic.hidden_size": "model.critic.hidden_size",
    "critic.dropout": "model.critic.dropout",
    "critic.heads": "legacy.heads",
    "finetune_mode": "train.finetune_mode",
    "finetune-mode": "train.finetune_mode",
    **{f"lora.{n}": f"train.lora.{n}" for n in ("r", "alpha", "dropout", "target_modules")},
    "lora.task_type": "legacy.lora_task_type",
    **{
        f"losses.{name}": f"train.losses.{name}"
        for name in (
            "critic_weight",
            "actor_weight",
            "backbone_weight",
            "actor_temperature",
            "advantage_positive",
            "advantage_clip",
        )
    },
    **{f"optim.{n}_lr": f"train.optim.{n}_lr" for n in ("actor", "critic", "backbone")},
    **{f"update.{n}_steps": f"train.update.{n}_steps" for n in ("actor", "critic", "backbone")},
    "buffer_size": "train.buffer_size",
    "num_iterations": "train.num_iterations",
    "episodes_per_iter": "legacy.episodes_per_iter",
    "eval.math_parser": "train.parser",
    "eval.checkpoint_dir": "legacy.checkpoint_dir",
    "reward.mode": "train.reward.mode",
}
"""Flags -> dotted keys. What has its own name here needs none (device, most of backbone.*)."""


def translated(tree: Any, samples: int) -> Any:
    """A comparison's tree with what its section ``legacy`` says otherwise set in its place.

    Args:
        tree: as it was written.
        samples: of a problem where the tree does not say.

    Raises:
        ValueError: naming the key, if episodes are no whole number of problems.
    """
    given = tree.get("legacy") if isinstance(tree, Mapping) else None
    if not isinstance(given, Mapping):
        return tree
    rest, made = dict(given), dict(tree)
    for name, say in _SAID.items():
        if (value := rest.get(name)) is not None and (said := say(value, made, samples)):
            made = configs.merge(made, said)
            del rest[name]
    return {**made, "legacy": rest}


def _episodes(value: Any, tree: Mapping[str, Any], samples: int) -> Mapping[str, Any]:
    if not isinstance(value, int) or value < 1:
        return {}
    each = min(_at(tree, "train", "samples") or samples, value)
    if value % each:
        raise ValueError(
            f"episodes_per_iter: every problem is rolled out train.samples = {each} times, so that "
            f"it must be a multiple of that; received {value}; change one of them"
        )
    return {"train": {"problems": value // each, "samples": each}}


def _critic(value: Any, tree: Mapping[str, Any], samples: int) -> Mapping[str, Any]:
    if value is False and _at(tree, "model", "features", "mode") != "hidden":
        return {"model": {}}
    mode = {True: "hidden", False: "relational"}.get(value) if isinstance(value, bool) else None
    return {"model": {"features": {"mode": mode}}} if mode else {}


def _sampling(value: Any, tree: Mapping[str, Any], samples: int) -> Mapping[str, Any]:
    known = _at(tree, "train", "rollout", "temperature") or 1.0
    heat = {"argmax": 0.0, "sample": known}.get(value) if isinstance(value, str) else None
    return {} if heat is None else {"train": {"rollout": {"temperature": heat}}}


def _file(split: str) -> Any:
    def say(value: Any, tree: Mapping[str, Any], samples: int) -> Mapping[str, Any]:
        task = _at(tree, "train", "task") or "gsm8k"
        # The checksum is of the file that stood there.
        own = {split: value, f"{split}_sha256": None}
        return {"data": {"source": "files", "tasks": [task], task: own}}

    return say


_SAID = {
    "episodes_per_iter": _episodes,
    "fast_critic": _critic,
    "sample_strategy": _sampling,
    "train_path": _file("train"),
    "eval_path": _file("test"),
}


def _at(tree: Any, *names: str) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree
