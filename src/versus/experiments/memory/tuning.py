"""Hyperparameters chosen on the tuning seeds: the same number of candidates for every variant."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from versus.core.display import Display
from versus.core.runs import RunConfig, RunKey
from versus.core.sinks import per_run
from versus.core.tables import write_table
from versus.core.trainer import Rhythm, Trainer
from versus.experiments.memory.config import Comparison
from versus.experiments.memory.learner import MemoryLearner

TUNING_TABLE = "tuning.csv"


def tune(comparison: Comparison, data: Path, work: Path, display: Display) -> Comparison:
    """Give every variant its best candidate on every stream.

    The candidates train on the tuning seeds as one stack, in ``work``, which resumes like any
    training; ``tuning.csv`` records the choice. Values set in ``tuned`` already are kept.
    """
    arms = [arm for arm in comparison.arms() if arm.name in comparison.tune.grids]
    if not arms:
        return comparison
    candidates = {arm.name: comparison.tune.candidates(arm.name) for arm in arms}
    runs = []
    for arm in arms:
        base = comparison.with_overrides(arm)
        for number, candidate in enumerate(candidates[arm.name]):
            model = base.model.model_validate({**base.model.model_dump(), **candidate})
            config = base.model_copy(update={"model": model, "tuned": {}})
            keys = (RunKey(f"{arm.name}#{number}", seed) for seed in comparison.tuning_seed_list)
            runs += [RunConfig(key, config) for key in keys]
    scores = _scores(comparison, runs, data, work, display)
    table = _choose(comparison, candidates, scores)
    write_table(table, work / TUNING_TABLE)
    tuned: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table.to_dict("records"):
        best = candidates[row["variant"]][row["candidate"]]
        tuned.setdefault(row["variant"], {})[row["stream"]] = best
    merged = {name: {**tuned[name], **comparison.tuned.get(name, {})} for name in tuned}
    return comparison.model_copy(update={"tuned": {**comparison.tuned, **merged}})


def _scores(
    comparison: Comparison, runs: Sequence[RunConfig], data: Path, work: Path, display: Display
) -> pd.DataFrame:
    """Final metrics of every candidate, averaged over the tuning seeds (diverged = infinite)."""
    learner = MemoryLearner(runs, data, scores_only=True)
    with display.progress(f"tuning {len(learner.variants)} candidates", learner.total_steps) as bar:
        every = comparison.checkpoint.every
        rhythm = Rhythm(checkpoint_steps=every, log_steps=every)
        metrics = Trainer(learner, work, hooks=[bar], rhythm=rhythm).run()
    table = pd.DataFrame(per_run(metrics, learner.runs))
    table["variant"] = [run.variant for run in learner.runs]
    return table.groupby("variant", sort=False).mean()


def _choose(
    comparison: Comparison, candidates: dict[str, list[dict[str, Any]]], scores: pd.DataFrame
) -> pd.DataFrame:
    rows = []
    for variant, choices in candidates.items():
        names = [f"{variant}#{number}" for number in range(len(choices))]
        for stream, settings in comparison.data.all_streams.items():
            columns = [
                f"{t.name}/{settings.score}" for t in comparison.data.tasks() if t.stream == stream
            ]
            means = scores.loc[names, columns].mean(axis=1).to_numpy()
            best = int(means.argmin())
            rows.append(
                {
                    "variant": variant,
                    "stream": stream,
                    "candidate": best,
                    "metric": settings.score,
                    "score": means[best],
                    "at_edge": " ".join(_edges(choices, best)),
                    **choices[best],
                }
            )
    return pd.DataFrame(rows)


def _edges(choices: Sequence[dict[str, Any]], best: int) -> list[str]:
    """Keys whose best value is the smallest or largest offered, all else equal; 0 has no beyond."""
    chosen = choices[best]
    edges = []
    for key in chosen:
        others = {k: v for k, v in chosen.items() if k != key}
        offered = {c[key] for c in choices if {k: v for k, v in c.items() if k != key} == others}
        at_end = chosen[key] in (min(offered), max(offered))
        if len(offered) > 2 and at_end and chosen[key] != 0:
            edges.append(key)
    return edges
