"""The experiment dsn as a user meets it: a scorer trained, promoted, and asked about videos."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import environment
from tests.unit.dsn.scored import film
from tests.unit.dsn.test_importing import advanced, pickled, saved  # noqa: F401 - a fixture
from versus import cli
from versus.core import tracking
from versus.core.paths import PARTIAL, read_json

SMALL = shlex.split(
    "train dsn --profile smoke --seeds 2 --device cpu --data.generated.train 2 --quiet "
    "--data.generated.test_style 0 --tensorboard"
)
ASK = """
import sys
import mlflow.pyfunc
import pandas as pd

model = mlflow.pyfunc.load_model("models:/dsn-scorer@champion")
found = pd.DataFrame(model.predict(pd.DataFrame({"input": sys.argv[1:]})))
print(model.metadata.signature.inputs.to_json())
print(found.to_json(orient="records"))
"""


def asked_outside(folder: Path, *paths: Path) -> list[str]:
    """What the champion answers in a process that works in an empty folder."""
    folder.mkdir()
    store = tracking.tracking_uri(folder.parent / "project")
    changes = {"MLFLOW_TRACKING_URI": store, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    known = environment(**changes)
    known.pop("VERSUS_ROOT", None)
    done = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, paths)],
        env=known,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_from_training_to_key_frames_of_ones_own_video(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = project / "mine"
    videos.mkdir()
    clip = film(videos / "clip.mp4")
    predict = ["predict", "dsn", "--video", str(clip)]
    assert cli.main(predict) == 2
    assert "a champion comes from `versus train dsn` and `versus promote dsn`" in (
        capsys.readouterr().err
    )
    assert cli.main(SMALL) == 0
    assert cli.main(["promote", "dsn"]) == 0
    assert cli.main([*predict, "--out", str(project / "found")]) == 0
    index = read_json(project / "found" / "clip.mp4" / "keyframes.json")
    (videos / "broken.mp4").write_bytes(clip.read_bytes()[:700])
    capsys.readouterr()
    folder = ["predict", "dsn", "--video", str(videos), "--out", str(project / "found")]
    assert cli.main(folder) == 2
    told = capsys.readouterr()
    assert "[2/2] " in told.out
    assert "1 of 2 videos could not be used" in told.err
    assert read_json(project / "found" / "clip.mp4" / "keyframes.json") == index
    signature, answer = asked_outside(project.parent / "elsewhere", clip)
    assert json.loads(signature) == [{"type": "string", "name": "input", "required": True}]
    rows = json.loads(answer)
    assert {row["input"] for row in rows} == {str(clip)}
    assert [row["frame"] for row in rows] == [one["frame"] for one in index["keyframes"]]
    scores = [one["score"] for one in index["keyframes"]]
    assert [row["score"] for row in rows] == pytest.approx(scores, abs=1e-9)
    _check_run_files(project)


def _check_run_files(project: Path) -> None:
    """Pictures and histograms lie beside each run's files, in its MLflow run and event file."""
    shown = {"histograms.png", "selected_keyframes.png", "rejected_frames.png"}
    (runs,) = (project / "runs" / "dsn").glob("*/results/runs")
    for variant in ("baseline", "advanced"):
        for seed in (0, 1):
            folder = runs / variant / f"seed-{seed}"
            assert shown <= {path.name for path in folder.iterdir()}
    needed = [path.read_text() for path in (project / "mlruns").rglob("requirements.txt")]
    assert all("\nav==" in text and "torch==" in text for text in ("\n" + n for n in needed))
    kept = {path.name for path in (project / "mlruns" / "dsn").rglob("*.png")}
    assert shown <= kept
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = (project / "runs" / "dsn").glob("*/results/tensorboard")
    tags = EventAccumulator(str(events / "advanced" / "seed-0")).Reload().Tags()
    assert set(tags["histograms"]) == {"train/prob_distribution", "train/reward_distribution"}
    assert set(tags["images"]) == {"frames/selected_keyframes", "frames/rejected_frames"}
    assert {"step/reward", "train/mean_reward", "cache/hit_rate", "val/RecErr_mean"} <= set(
        tags["scalars"]
    )


def test_a_checkpoint_of_the_seed_is_registered_once_and_answers(
    project: Path,
    pickled: type,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = saved(project, advanced(pickled, feat_dim=611))
    out, clip = project / "imported", film(project / "clip.mp4")
    words = ["import", "dsn", str(file), "--out", str(out)]
    words += ["--data.features.extractor", "classic"]
    for _ in range(2):
        assert cli.main(words) == 0
        assert "models:/dsn-scorer/1" in capsys.readouterr().out
    abandoned = project.parent / "predictions" / f".clip.mp4{PARTIAL}of-a-killed-process"
    abandoned.mkdir(parents=True)
    for model in (["--path", str(out)], ["--model", "models:/dsn-scorer/1"]):
        assert cli.main(["predict", "dsn", "--video", str(clip), *model]) == 0
        capsys.readouterr()
    assert not abandoned.exists()
    # Nothing was measured of it, so it is no candidate.
    assert cli.main(["evaluate", "dsn"]) == 2
    assert "the aliases none" in capsys.readouterr().err


def test_experiments_without_files_say_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict", "memory", "--input", "x"]) == 2
    assert "experiment memory has nothing to predict from files" in capsys.readouterr().err
    assert cli.main(["predict", "dsn"]) == 2
    assert "name files or a folder with --input" in capsys.readouterr().err
    both = ["--path", "x", "--model", "models:/dsn-scorer/1"]
    assert cli.main(["predict", "dsn", "--video", "x", *both]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert cli.main(["predict", "dsn", "--video", "x", "--path", "x"]) == 2
    assert "is no model folder" in capsys.readouterr().err
