"""What a trained scorer shows: how probable frames are, what selections earn, which are chosen."""

import numpy as np
import numpy.typing as npt
import torch

from versus.core.errors import DataError
from versus.core.exhibits import Exhibits
from versus.core.runs import RunKey
from versus.experiments.dsn.data import ingest as files
from versus.experiments.dsn.data.sequences import IntArray
from versus.experiments.dsn.data.video import decode
from versus.experiments.dsn.learning.learner import ScorerLearner
from versus.experiments.dsn.learning.measuring import by_video
from versus.experiments.dsn.learning.reading import read

PICTURES = 8
SIZE = 160, 90
"""Width and height of the pictures, as in the seed document."""
Pictures = npt.NDArray[np.uint8]


def exhibits(learner: ScorerLearner) -> dict[RunKey, Exhibits]:
    """Of the best weights, by the seed's names; nothing of a rule or a diverged run.

    Histograms are of a minibatch of training videos, pictures of the first test video.
    """
    if not learner.modules() or bool(learner.diverged):
        return {}
    played = learner.rehearsed(next(iter(learner.batches(0))))
    histograms = {
        "train/prob_distribution": torch.sigmoid(played.logits).cpu().numpy(),
        "train/reward_distribution": played.reward.total.cpu().numpy(),
    }
    return {learner.run.key: Exhibits(histograms, _pictures(learner))}


def _pictures(learner: ScorerLearner) -> dict[str, Pictures]:
    """Selected and rejected frames; none where the video's file is not there."""
    index = learner.data / files.INDEX
    if "test" not in learner.last or not index.is_file():
        return {}
    scenes = by_video(read(learner.data, "test"))[0]
    rows = learner.last["test"].choices[0].rows
    selected = [one.picks[own] for one, own in zip(scenes, rows, strict=True)]
    rejected = [np.delete(one.picks, own) for one, own in zip(scenes, rows, strict=True)]
    named = {"frames/selected_keyframes": selected, "frames/rejected_frames": rejected}
    listed = {video["name"]: video for video in files.listed_videos(learner.data)}
    try:
        film = files.open_listed(listed[scenes[0].video], learner.data)
        wanted = {name: _spread(np.concatenate(parts)) for name, parts in named.items()}
        return {
            name: np.stack([picture for _, picture in decode(film, picks, SIZE)])
            for name, picks in wanted.items()
            if len(picks)
        }
    except (DataError, OSError):  # the user's file has gone since it was read: training counts
        return {}


def _spread(frames: IntArray) -> IntArray:
    """Eight of them at most, evenly."""
    places = np.linspace(0, len(frames) - 1, min(PICTURES, len(frames)))
    return frames[places.round().astype(np.int64)]
