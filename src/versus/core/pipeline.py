"""From prepared data to a verdict: train, compare, evaluate, and send to MLflow."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import versus
from versus.core import comparison as statistics
from versus.core import config as configs
from versus.core import stacks
from versus.core.display import Display
from versus.core.experiment import Experiment, ModelPart, about, question
from versus.core.hooks import catalogue
from versus.core.hooks.about import digest as hooks_digest
from versus.core.launching import elsewhere
from versus.core.models import write_model
from versus.core.paths import read_json, shown, write_json
from versus.core.runs import UNRELATED, BaseComparison
from versus.core.stages import Places, code_digest, locked, verify
from versus.core.tables import read_table, write_table
from versus.core.verdict import overview
from versus.core.verdict import write as write_verdict

ITEMS = "test_items.csv"
"""What the final evaluation found of every test item, where an experiment tells."""

logger = logging.getLogger(__name__)


# --- training -------------------------------------------------------------------------------------


def train(
    experiment: Experiment,
    comparison: BaseComparison,
    places: Places,
    display: Display,
    send: Callable[[], None] | None = None,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Train every run of the comparison and write its tables and models.

    A comparison that was interrupted continues; one that is finished is only published again.
    ``send`` projects the work folder to MLflow; it is called as training goes and at the end.

    Raises:
        VersusError: see the errors of data, config, checkpoints and training.
    """
    with locked(places.work), locked(places.results):
        digest = verify(experiment, comparison, places.data)
        if start(experiment, comparison, places, digest, tags):
            display.note("already trained: the results are written again from what is there")
        for note in experiment.notes(comparison, places.data):
            display.note(note)
        with _status(places.work, send):
            settled = experiment.tune(comparison, places.data, places.work / "tune", display)
            elsewhere.train(experiment, settled, places, display, send)
            tables = stacks.train_all(experiment, settled, places, display, send)
            publish(experiment, settled, tables, places, digest)


def start(
    experiment: Experiment,
    comparison: BaseComparison,
    places: Places,
    data_digest: str,
    tags: Mapping[str, str],
) -> bool:
    """Describe the comparison in its work folder; state made by other code or data is dropped.

    Returns:
        Whether the training was finished before.
    """
    identity = identity_of(experiment, comparison, data_digest)
    path = places.work / "identity.json"
    known = read_json(path) if path.is_file() else None
    if known != identity:
        if known is not None:
            logger.warning("%s: code or data have changed; training anew", shown(places.work))
            path.unlink()
        _clear(places.work)
        write_json(path, identity)
    status = places.work / "status.json"
    finished = status.is_file() and read_json(status)["state"] == "finished"
    described = describe(experiment, comparison, places, data_digest)
    described["tags"] |= tags
    write_json(places.work / "comparison.json", described)
    return finished


def _clear(work: Path) -> None:
    """Remove training state; a kill in the middle leaves no identity, so it is done again."""
    for path in work.iterdir():
        if path.is_dir() and path.name != "results":
            shutil.rmtree(path)
        elif path.is_file() and path.name != "lock":
            path.unlink()


def describe(
    experiment: Experiment, comparison: BaseComparison, places: Places, data_digest: str
) -> dict[str, Any]:
    """What MLflow is told of the comparison (``comparison.json`` of the work folder)."""
    runs = comparison.expand()
    stacked = any(len(stack) > 1 for stack in experiment.stacks(runs))
    per_variant = "variant" if stacked else "run"
    return {
        "experiment": comparison.experiment,
        "note": _note(comparison.experiment),
        "name": f"{comparison.experiment} {places.profile}",
        "digest": comparison.digest(),
        "seeds": list(comparison.seed_list),
        "profile": places.profile,
        "tags": {
            "versus.version": versus.__version__,
            **_hook_tags(experiment, comparison),
            **experiment.tags(comparison),
        },
        "params": flat(comparison),
        "variants": {arm.name: _flat_tree(arm.overrides) for arm in comparison.arms()},
        "children": per_variant if comparison.children == "auto" else comparison.children,
        "data": {
            "name": f"{comparison.experiment}-{places.profile}",
            "digest": data_digest,
            "source": shown(places.data),
        },
        "results": os.path.relpath(places.results, places.work),
        "runs": os.path.relpath(places.runs, places.work),
        "primary": list(primary_metrics(experiment, comparison)),
        "selection": list(experiment.selection_metrics(comparison)),
        "direction": comparison.compare.direction,
        # A grid is exploration: its models stay in the results folder.
        "register": not any(len(v) > 1 for k, v in comparison.grid.items() if _is_number(v[0])),
    }


def _note(name: str) -> str:
    """How the UI describes the experiment."""
    return (
        f"**{question(name)}** {about(name)}\n\n"
        "A run of kind `comparison` holds a verdict (its description), tables and pictures; the "
        "runs below it are its variants, or single trainings. Runs of kind `study` are searches, "
        "runs of kind `evaluation` measure registered models."
    )


def _hook_tags(experiment: Experiment, comparison: BaseComparison) -> dict[str, str]:
    there, names = catalogue.selection(experiment, comparison.hooks)
    changing = [name for name in names if there[name].intervenes]
    return {"hooks": " ".join(names), "interventions": " ".join(changing)}


def identity_of(
    experiment: Experiment, comparison: BaseComparison, data_digest: str
) -> dict[str, str]:
    """What a training's state is made of besides its params: code, the user's hooks, and data."""
    code = code_digest(comparison.experiment)
    hooks = hooks_digest(experiment, comparison.hooks)
    return {"code": code, "hooks": hooks, "data": data_digest}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def flat(comparison: BaseComparison) -> dict[str, Any]:
    """Dotted key -> value of what all variants share."""
    return _flat_tree(comparison.model_dump(mode="json", exclude={"variants", "tuned", *UNRELATED}))


def _flat_tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in configs.leaves(tree) if value != {}}


@contextmanager
def _status(work: Path, send: Callable[[], None] | None) -> Iterator[None]:
    """Keep ``status.json`` truthful whatever happens inside, short of ``kill -9``."""

    def set_state(state: str, message: str = "") -> None:
        write_json(work / "status.json", {"state": state, "message": message})

    set_state("running")
    if send is not None:
        send()
    try:
        yield
    except KeyboardInterrupt:
        set_state("interrupted", "stopped by the user")
        raise
    except Exception as error:  # also a bug: no run may seem alive that is not
        set_state("failed", str(error) or repr(error))
        raise
    else:
        set_state("finished")
    finally:
        if send is not None:
            send()


def publish(
    experiment: Experiment,
    comparison: BaseComparison,
    tables: stacks.Tables,
    places: Places,
    data_digest: str,
) -> None:
    """Write tables, config and models into the results folder, each whole or not at all."""
    out = places.results
    write_table(tables.metrics, out / "metrics.csv")
    write_table(tables.cost, out / "cost.csv")
    write_table(tables.items, out / ITEMS)
    settled = comparison.model_dump(mode="json", exclude=UNRELATED)
    write_json(
        out / "config.json", {**settled, "profile": places.profile, "data_digest": data_digest}
    )
    for name, part in tables.models.items():
        variant = str(part.config.get("variant", name))
        rows = tables.metrics[tables.metrics["variant"] == variant]
        finals = {str(row["seed"]): _finals(row) for row in rows.to_dict("records")}
        about = {
            "name": part.name,
            "variant": variant,
            "comparison": settled,
            "data_digest": data_digest,
            "final_metrics": finals,
            "versus_version": versus.__version__,
        }
        write_model(
            ModelPart(part.name, part.weights, {**part.config, **about}), out / "models" / name
        )
    # Filled in when MLflow has the comparison; a pipeline needs the file even if it never does.
    if not (out / "run.json").is_file():
        write_json(out / "run.json", {"parent": None, "children": {}})
    experiment.outputs(comparison, tables.metrics, tables.cost, places)


def _finals(row: Mapping[Any, Any]) -> dict[str, str]:
    """Final metrics as text: JSON has no infinity, and ``repr`` keeps every bit."""
    return {str(k): repr(float(v)) for k, v in row.items() if k not in ("variant", "seed")}


# --- verdict --------------------------------------------------------------------------------------


def primary_metrics(experiment: Experiment, comparison: BaseComparison) -> tuple[str, ...]:
    """The metrics that the verdict is about."""
    return comparison.compare.metrics or experiment.primary_metrics(comparison)


def compare(experiment: Experiment, comparison: BaseComparison, places: Places) -> dict[str, Any]:
    """Write ``verdict.json``, ``verdict.md`` and the plots; return the verdict."""
    metrics, items = (read_table(places.results / name) for name in ("metrics.csv", ITEMS))
    cost = places.results / "cost.csv"
    settings = statistics.CompareSettings(
        metrics=primary_metrics(experiment, comparison),
        direction=comparison.compare.direction,
        baseline_of=comparison.baselines(),
        minimum_seeds=comparison.compare.minimum_seeds,
        censored_at=experiment.censored_at(comparison),
    )
    verdict = statistics.compare(
        metrics,
        read_table(cost) if cost.is_file() else None,
        settings,
        experiment=comparison.experiment,
        profile=places.profile,
        data_digest=read_json(places.results / "config.json")["data_digest"],
        items=items,
        findings=experiment.findings(comparison, metrics, items),
    )
    with locked(places.results):
        write_verdict(verdict, places.results)
        shutil.rmtree(places.results / "plots", ignore_errors=True)
        experiment.plots(comparison, places.results)
    return verdict


def summary(experiment: Experiment, verdict: Mapping[str, Any], places: Places) -> str:
    """The verdict as a person reads it; the bare metrics where there is one run."""
    if len(verdict["variants"]) > 1 or len(verdict["seeds"]) > 1:
        better = "lower" if verdict["direction"] == "minimize" else "higher"
        about = f"{len(verdict['seeds'])} seeds; {better} is better; marked: significant after Holm"
        caveats = [f"note: {caveat}" for caveat in verdict["caveats"]]
        page = f"the whole verdict: {shown(places.results / 'verdict.md')}"
        return "\n".join([about, overview(verdict), *verdict["findings"], *caveats, page])
    return experiment.describe_run(places.results)


def conclude(
    experiment: Experiment, comparison: BaseComparison, places: Places, display: Display
) -> None:
    """Compare, and print the summary and what the experiment adds to it."""
    verdict = compare(experiment, comparison, places)
    display.line(summary(experiment, verdict, places))
    for line in experiment.epilogue(comparison, places.results):
        display.line(line)
