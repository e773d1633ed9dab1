"""The commands of ``docs/dsn.md``, and the source document's arguments all at once."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.end_to_end.conftest import REPOSITORY, commands_of
from tests.unit.dsn.staged import scene, unit_rows
from versus import cli
from versus.core import config as configs
from versus.core.arguments import load
from versus.experiments.dsn.config import ALIASES
from versus.experiments.dsn.data.video import write

ELSEWHERE = ("predict", "import")
"""Verbs that are tested where they are built."""
SMALL = {
    "data": {
        "generated": {"train": 2, "validation": 1, "test": 1, "test_style": 1},
        "features": {"colours": {"levels": 1, "directions": 2, "bins": 8}},
    },
    "model": {"hidden": 8, "lstm_hidden": 4, "heads": 2},
    "train": {"epochs": 1, "policy": {"episodes": 3}},
    "seeds": 1,
}
SIZE = {"data": {"generated": {"width": 48, "height": 32}}}


@pytest.fixture
def small(project: Path) -> Path:
    """Small clips and networks in all profiles, a folder of videos and one in the seed's layout."""
    yaml = YAML(typ="safe")
    for path in (project / "params").rglob("dsn.yaml"):
        tree = configs.merge(configs.merge(yaml.load(path.read_text()), SMALL), SIZE)
        with path.open("w") as file:
            yaml.dump(tree, file)
    for name in "abc":
        stills = np.random.default_rng(ord(name)).integers(0, 255, (2, 36, 64, 3))
        write(project / "videos" / f"{name}.mp4", stills.repeat(20, 0).astype(np.uint8), 24)
        scene(project / "outputs" / "sakuga_dataset" / name / "scene_0000", unit_rows(20))
    return project


def rows() -> list[list[str]]:
    """The words after ``versus`` in the right-hand columns of the map of commands."""
    text = (REPOSITORY / "docs" / "dsn.md").read_text(encoding="utf-8")
    part = text.partition("| source document | Versus |")[2].partition("\n\n")[0]
    right = [line.rpartition(" | ")[2] for line in part.splitlines()[2:]]
    found = [re.findall(r"`versus ([^`]+)`", column) for column in right]
    assert len(found) > 12
    assert all(found)
    return [shlex.split(words.replace("cuda:0", "cpu")) for column in found for words in column]


def test_the_trainings_of_the_page_are_read(small: Path) -> None:
    commands = [words for words in (*commands_of("dsn.md"), *rows()) if words[0] == "train"]
    assert len(commands) > 12
    for words in commands:
        profile = words[words.index("--profile") + 1] if "--profile" in words else ""
        load("dsn", None, profile, [w for w in words[2:] if w not in ("--profile", profile)])


@pytest.mark.slow
def test_every_command_of_the_page_works(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What trains leaves MLflow alone, but for the first, whose model is evaluated."""
    tracked = False
    for words in (*rows(), *commands_of("dsn.md")):
        if words[0] in ELSEWHERE:
            continue
        more = ["--no-tracking"] if words[0] == "train" and tracked else []
        assert cli.main([*words, *more]) == 0, f"{' '.join(words)}\n{capsys.readouterr().err}"
        tracked |= words[0] == "train"


GIVEN = {
    "seed": 3,
    "epochs": 1,
    "model_type": "advanced",
    "enc_hidden": 8,
    "lstm_hidden": 4,
    "dropout": 0.2,
    "num_attn_heads": 2,
    "num_attn_layers": 1,
    "num_scales": 2,
    "pos_encoding_type": "learned",
    "use_lstm_in_advanced": 1,
    "use_raft_motion": 1,
    "motion_fusion_type": "simple",
    "use_cache": 1,
    "cache_size": 10,
    "entropy_coef": 0.01,
    "baseline_momentum": 0.9,
    "budget_ratio": 0.06,
    "budget_penalty": 0.05,
    "Bmin": 2,
    "Bmax": 9,
    **dict.fromkeys(("w_div", "w_rep", "w_rec", "w_fd", "w_ms", "w_motion"), 0.5),
    "ms_swd_scales": 2,
    "ms_swd_dirs": 4,
    "use_motion": 1,
    "lr": "1e-4",
    "weight_decay": 0,
    "max_grad_norm": 1,
    "log_dir": "tensorboard-of-the-seed",
    "validate_every": 1,
    "fps": 12,
    "threshold": 27,
    "min_scene_len": 6,
    "backend": "pyscenedetect",
    "extractor": "classic",
    "video_dir": "videos",
    "dataset_root": "outputs/sakuga_dataset",
}
"""Values for the arguments that do something; the others are given 1."""


@pytest.mark.parametrize("source", ["video_dir", "dataset_root"])
def test_all_arguments_of_the_source_document_at_once(
    small: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"video_dir": "dataset_root", "dataset_root": "video_dir"}[source]
    named = {name: str(GIVEN.get(name, 1)) for name in ALIASES if name != other}
    assert set(GIVEN) <= set(ALIASES)
    words = [word for name, value in named.items() for word in (f"--{name}", value)]
    train = ["train", "dsn", "--no-tracking", "--device", "cpu", "--log.every", "1"]
    assert cli.main([*train, *words]) == 0
    said = capsys.readouterr()
    without = [name for name in named if f"--{name}: No effect" in said.out + said.err]
    assert len(without) > 25
    assert not set(without) & set(GIVEN)
    assert list(small.rglob("tensorboard-of-the-seed/*/seed-3/events*"))
