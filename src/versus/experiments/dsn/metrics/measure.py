"""All metrics of one video."""

from collections.abc import Sequence as Several

import numpy as np
import torch
from torch import Tensor

from versus.experiments.dsn.batches import colours_of
from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Sequence
from versus.experiments.dsn.metrics import distances, matching, phases, ranks
from versus.experiments.dsn.metrics.config import MetricsConfig

DIRECTIONS = {
    "F1": "maximize",
    "precision": "maximize",
    "recall": "maximize",
    "F1_hold": "maximize",
    "Kendall_tau": "maximize",
    "Spearman_rho": "maximize",
    "RecErr": "minimize",
    "Diversity": "maximize",
    "Frechet": "minimize",
    "MS_SWD": "minimize",
    "MS_SWD_patch": "minimize",
    "SceneCoverage": "maximize",
    "TemporalCoverage": "maximize",
    "Stillness": "maximize",
    "HoldShare": "maximize",
}
"""Name of a metric -> which way is better. MS_SWD is the colour distance (ColorSWD) that the seed
calls so, MS_SWD_patch the published one (:mod:`.patches`), which needs pictures and is measured
apart; the name of TemporalCoverage is followed by its threshold: ``TemporalCoverage_tau0.5``."""
NO_CONFIG = MetricsConfig()


def measured(
    scenes: Several[Sequence],
    scores: Several[FloatArray],
    chosen: Several[IntArray],
    config: MetricsConfig = NO_CONFIG,
) -> dict[str, float]:
    """Measure the key frames of one video.

    Args:
        scenes: all scenes of the video.
        scores: of the rows of each scene, ``[T]``; of a rule that chooses frames without scores,
            1 for these and 0 for the others.
        chosen: rows of the key frames of each scene, increasing.
        config: tolerances.

    Returns:
        Name -> value, all of them finite; without what cannot be known: F1 and its like where the
        key poses are unknown, MS_SWD without colours, Frechet under two key frames, and most where
        nothing is chosen.
    """
    found = {"SceneCoverage": float(np.mean([len(rows) > 0 for rows in chosen]))}
    if any(len(rows) for rows in chosen):
        found |= likeness(scenes, chosen, config)
    if all(scene.keys is not None for scene in scenes):
        found |= _against_truth(scenes, scores, chosen, config)
    return found


def _rows_of_video(scenes: Several[Sequence], chosen: Several[IntArray]) -> Tensor:
    starts = np.cumsum([0, *(len(scene.picks) for scene in scenes)])
    rows = [start + own for start, own in zip(starts, chosen, strict=False)]
    return torch.from_numpy(np.concatenate(rows))


def likeness(
    scenes: Several[Sequence], chosen: Several[IntArray], config: MetricsConfig = NO_CONFIG
) -> dict[str, float]:
    """The metrics that need no key poses, of one chosen frame at least; see :func:`measured`."""
    rows = _rows_of_video(scenes, chosen)
    still = [ranks.stillness(scene.motion[:, 0].numpy()) for scene in scenes]
    features = torch.cat([scene.features for scene in scenes])
    found = {
        "RecErr": distances.rec_err(features, rows),
        "Diversity": distances.diversity(features, rows),
        f"TemporalCoverage_tau{config.tau:g}": distances.temporal_coverage(
            features, rows, config.tau
        ),
        "Stillness": float(np.concatenate(still)[rows.numpy()].mean()),
    }
    if len(rows) > 1:
        found["Frechet"] = distances.frechet(features, rows)
    if all(scene.colours.numel() for scene in scenes):
        colours = torch.cat([colours_of(scene) for scene in scenes])
        found["MS_SWD"] = distances.color_swd(colours, rows)
    return found


def _against_truth(
    scenes: Several[Sequence],
    scores: Several[FloatArray],
    chosen: Several[IntArray],
    config: MetricsConfig,
) -> dict[str, float]:
    """Hits are counted scene by scene: a frame behind a cut hits nothing before it."""
    near, held = [], []
    for scene, rows in zip(scenes, chosen, strict=True):
        frames, keys = scene.picks[rows], _keys(scene)
        near.append(matching.found(frames, matching.around_keys(keys, config.tolerance)))
        windows = matching.around_holds(keys, scene.holds, config.tolerance)
        held.append(matching.found(frames, windows))
    score = matching.total(near)
    found = {"precision": score.precision, "recall": score.recall, "F1": score.f1}
    found["F1_hold"] = matching.total(held).f1
    if shares := phases.shares(scenes, chosen, tolerance=0):
        found["HoldShare"] = 1 - shares[phases.TWEEN]
    return {**found, **_ranks(scenes, scores)}


def _ranks(scenes: Several[Sequence], scores: Several[FloatArray]) -> dict[str, float]:
    """Over the frames of all scenes with key poses."""
    known = [n for n, scene in enumerate(scenes) if len(_keys(scene))]
    if not known:
        return {}
    true = [ranks.truth(scenes[n].picks, _keys(scenes[n]), scenes[n].holds) for n in known]
    own, other = np.concatenate([scores[n] for n in known]), np.concatenate(true)
    return {
        "Kendall_tau": ranks.kendall_tau(own, other),
        "Spearman_rho": ranks.spearman_rho(own, other),
    }


def _keys(scene: Sequence) -> IntArray:
    return np.zeros(0, dtype=np.int64) if scene.keys is None else scene.keys
