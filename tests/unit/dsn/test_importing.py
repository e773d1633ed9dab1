"""The seed's checkpoints: what is read, and what is refused without being run."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.unit.dsn import naive
from tests.unit.dsn.test_models_seed import SEEDS, seed_config, seed_weights
from versus.core import seeding
from versus.core.errors import DataError
from versus.experiments.dsn import importing
from versus.experiments.dsn.models import DSNConfig, make_scorer

Saved = dict[str, Any]


@pytest.fixture
def pickled(monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """The seed's settings class, where the seed's code has it."""
    made = type("DSNConfig", (), {"__module__": "src.models.dsn_advanced"})
    with monkeypatch.context() as patch:
        for name in ("src", "src.models", "src.models.dsn_advanced"):
            patch.setitem(sys.modules, name, ModuleType(name))
        sys.modules["src.models.dsn_advanced"].DSNConfig = made  # type: ignore[attr-defined]
        yield made


def settings(kind: type, config: DSNConfig, **changed: object) -> object:
    made = kind()
    made.__dict__.update({**asdict(config), **changed})
    return made


def advanced(kind: type, **changed: object) -> Saved:
    config = seed_config(**changed)
    return {
        "model": seed_weights(config),
        "config": settings(kind, config),
        "model_type": "advanced",
    }


def saved(folder: Path, held: object) -> Path:
    torch.save(held, folder / "dsn_checkpoint_ep10.pt")
    return folder / "dsn_checkpoint_ep10.pt"


def scores(found: importing.Imported, x: Tensor, motion: Tensor | None) -> Tensor:
    scorer = make_scorer(found.sizes.model, found.sizes.features, found.sizes.motion, 0).eval()
    scorer.load_state_dict(found.state_dict)
    mask = torch.ones(1, len(x), dtype=torch.bool)
    moved = torch.zeros(len(x), 0) if motion is None else motion
    logits: Tensor = scorer(x[None], moved[None], mask)[0]
    return logits


@pytest.mark.parametrize("changed", SEEDS, ids=str)
def test_an_advanced_checkpoint_scores_as_in_the_seed(
    tmp_path: Path, pickled: type, changed: dict[str, object]
) -> None:
    config = seed_config(**changed)
    path = saved(tmp_path, advanced(pickled, **changed))
    found = importing.load(path)
    assert (found.kind, found.sizes.features) == ("advanced", 6)
    x = torch.randn(16, 6, generator=seeding.generator("x"))
    motion = torch.randn(16, 3, generator=seeding.generator("m")) if config.use_motion else None
    expected = naive.seed_advanced(seed_weights(config), config, x, motion)
    torch.testing.assert_close(scores(found, x, motion), expected, rtol=1e-4, atol=1e-5)


def test_settings_of_before_motion_are_read(tmp_path: Path, pickled: type) -> None:
    held = advanced(pickled)
    for name in ("use_motion", "motion_dim", "motion_fusion_type"):
        del held["config"].__dict__[name]
    assert importing.load(saved(tmp_path, held)).sizes.motion == 0


class SeedPolicy(nn.Module):
    """As the seed's baseline names its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(10, 3, bidirectional=True, batch_first=True)
        self.head = nn.Linear(6, 1)


def baseline() -> tuple[nn.Linear, SeedPolicy, Saved]:
    with seeding.preserved():
        torch.manual_seed(2)
        fc, policy = nn.Linear(7, 10), SeedPolicy()
    encoder = {f"fc.{name}": value for name, value in fc.state_dict().items()}
    return fc, policy, {"encoder": encoder, "policy": policy.state_dict()}


def test_a_baseline_checkpoint_scores_as_in_the_seed(tmp_path: Path) -> None:
    fc, policy, held = baseline()
    found = importing.load(saved(tmp_path, held))
    model = found.sizes.model
    assert (found.kind, found.sizes.features, model.hidden, model.lstm_hidden) == (
        "baseline",
        7,
        10,
        3,
    )
    x = torch.randn(9, 7, generator=seeding.generator("x"))
    expected = policy.head(policy.lstm(fc(x).relu()[None])[0])[0, :, 0]
    torch.testing.assert_close(scores(found, x, None), expected)


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("place", ["whole", "model", "config", "encoder"])
def test_what_a_file_would_run_is_not_run(tmp_path: Path, pickled: type, place: str) -> None:
    trap = Malicious(tmp_path / "run")
    held: Any = {**advanced(pickled), place: trap}
    if place == "encoder":
        held = {**baseline()[2], place: trap}
    path = saved(tmp_path, trap if place == "whole" else held)
    with pytest.raises(DataError, match="was not run"):
        importing.load(path)
    assert not trap.path.exists()
    torch.load(path, weights_only=False)
    assert trap.path.exists(), "the trap is none"


def test_other_classes_of_the_seed_are_refused(tmp_path: Path, pickled: type) -> None:
    pickled.__qualname__ = pickled.__name__ = "Other"
    sys.modules["src.models.dsn_advanced"].Other = pickled  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="was not run"):
        importing.load(saved(tmp_path, advanced(pickled)))


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("feat_dim", 7, "expected .* received"),
        ("hidden_dim", 10**4, "expected .* received"),
        ("hidden_dim", 10**9, "hidden"),
        ("feat_dim", -1, "no network has these sizes"),
        ("feat_dim", "6", "feat_dim cannot be '6'"),
        ("feat_dim", True, "feat_dim cannot be True"),
        ("use_lstm", False, "of no use"),
        ("use_lstm", 1, "use_lstm cannot be 1"),
        ("num_attn_layers", 3, "missing: layers.2"),
        ("num_attn_layers", 10**9, "layers"),
        ("num_attn_heads", 3, "heads must divide hidden"),
        ("lstm_layers", 2, "lstm_layers"),
        ("dropout", float("nan"), "dropout"),
        ("scale_fusion", "mean", "fusion"),
        ("extra", 1, "'extra' is not a setting"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, pickled: type, name: str, value: object, word: str
) -> None:
    held = advanced(pickled)
    held["config"].__dict__[name] = value
    with pytest.raises(DataError, match=rf"(?s)ep10\.pt: .*{word}"):
        importing.load(saved(tmp_path, held))


HEAD = "policy.head.weight"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model": {HEAD: torch.full((1, 8), float("nan"))}}, "not finite"),
        ({"model": {HEAD: torch.ones(1, 8, dtype=torch.float64)}}, "expected .* received"),
        ({"model": {HEAD: torch.ones(1).expand(10**6, 10**6)}}, "larger than the file"),
        ({"model": {HEAD: 3}}, "is not a tensor but int"),
        ({"model": {"policy.heart.weight": torch.ones(1)}}, "is not a weight of the seed"),
        ({"model": 3}, "model: expected weights by name, received int"),
        ({"config": {}}, "expected a DSNConfig, received dict"),
        ({"model_type": "other"}, "expected advanced, received 'other'"),
        ({"optimizer": 3}, "expected encoder and policy"),
    ],
)
def test_contents_that_do_not_fit_are_refused(
    tmp_path: Path, pickled: type, change: dict[str, Any], word: str
) -> None:
    held = advanced(pickled)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(held.get(key), dict)
        held[key] = {**held[key], **value} if both else value
    with pytest.raises(DataError, match=word):
        importing.load(saved(tmp_path, held))


def test_a_baseline_without_a_weight_is_refused(tmp_path: Path) -> None:
    held = baseline()[2]
    del held["encoder"]["fc.weight"]
    with pytest.raises(DataError, match=r"encoder\.weight: missing"):
        importing.load(saved(tmp_path, held))
    held = baseline()[2]
    del held["policy"]["lstm.bias_hh_l0_reverse"]
    with pytest.raises(DataError, match=r"missing: lstm\.back\.bias_hh_l0"):
        importing.load(saved(tmp_path, held))


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        importing.load(tmp_path / "none.pt")
    for contents in (b"", b"not a checkpoint", b"PK\x03\x04"):
        (tmp_path / "torn.pt").write_bytes(contents)
        with pytest.raises(DataError, match=r"torn\.pt: "):
            importing.load(tmp_path / "torn.pt")
    whole = saved(tmp_path, baseline()[2]).read_bytes()
    (tmp_path / "torn.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a checkpoint"):
        importing.load(tmp_path / "torn.pt")
    with pytest.raises(DataError, match="received list"):
        importing.load(saved(tmp_path, [1]))
