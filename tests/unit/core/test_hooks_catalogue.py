"""Which hooks a comparison gets, and what is said where it cannot have them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.unit.core.hook_samples import TinyLearner
from versus.core import sinks
from versus.core.errors import ConfigError
from versus.core.experiment import available, find
from versus.core.hooks import about, catalogue
from versus.core.hooks.base import Hook
from versus.core.hooks.library.groups import GENERIC_GROUPS
from versus.core.hooks.library.training import TrainingMetrics
from versus.core.hooks.page import hooks_page
from versus.core.runs import HookChoice
from versus.core.trainer import Rhythm, Trainer

EXPERIMENT: Any = SimpleNamespace(HOOKS=(), HOOK_GROUPS=GENERIC_GROUPS)
USER_HOOK = '''
from versus.core.hooks.base import Hook, HookSettings


class Bounds(HookSettings):
    """When weight_mean looks."""

    scale: float = 2.0
    """Factor."""


class WeightMean(Hook):
    """Mean of the weights."""

    name = "{name}"
    metrics = {{"mean": "mean of all weights, times scale"}}
    unit = "epoch"
    points = ("{point}",)
    Settings = Bounds

    def compute(self, context):
        return {{"mean": context.values.mean(dim=1) * self.settings.scale}}
'''


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    (tmp_path / "hooks").mkdir()
    return tmp_path


def choose(learner: Any = None, **choice: Any) -> list[Hook]:
    return catalogue.choose(EXPERIMENT, HookChoice(**choice), learner or TinyLearner())


def names(hooks: list[Hook]) -> set[str]:
    return {hook.name for hook in hooks}


def test_groups_and_names_add_up_and_training_metrics_comes_along() -> None:
    assert choose() == []
    assert names(choose(group="minimal")) == {"training_metrics"}
    assert names(choose(names=("norms",))) == {"training_metrics", "norms"}
    both = choose(group="interventions", names=("norms", "minimal"))
    assert names(both) == {*GENERIC_GROUPS["interventions"], "norms", "training_metrics"}
    everything = choose(group="full", reference="somewhere")
    assert names(everything) == set(GENERIC_GROUPS["full"])


def test_settings_reach_the_hook() -> None:
    hooks = choose(names=("variance",), settings={"variance": {"window": 4, "every": 3}})
    variance = next(hook for hook in hooks if hook.name == "variance")
    assert (variance.settings.window, variance.settings.every) == (4, 3)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"group": "obsrvers"}, r"hooks.group: there is no 'obsrvers'; did you mean observers"),
        ({"names": ("fouier", "norm")}, r"hooks.names: there is no 'fouier'"),
        ({"names": ("norm",)}, r"there is no 'norm'; did you mean norms"),
        ({"settings": {"varianc": {}}}, r"hooks.settings: there is no 'varianc'; did you mean var"),
        (
            {"names": ("variance",), "settings": {"variance": {"windw": 3}}},
            r"windw.*unknown key.*window",
        ),
        (
            {"names": ("variance",), "settings": {"variance": {"window": 1}}},
            r"window.*received 1",
        ),
        ({"names": ("gradient_projection",)}, r"gradient_projection: compares with a solution"),
        ({"names": ("missing.py",)}, r"no Python file .*missing.py"),
    ],
)
def test_mistakes_name_the_nearest(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose(**choice)


class Plain:
    """A learner that offers only what it must."""

    def __init__(self) -> None:
        self._learner = TinyLearner()

    def weights(self) -> Any:
        return self._learner.weights()


class Weightless(Plain):
    """And trains no weights."""

    def weights(self) -> Any:
        return None


@pytest.mark.parametrize(
    ("learner", "name", "message"),
    [
        (Plain(), "hessian", r"hessian: needs a learner that offers Differentiable \(Its training"),
        (Plain(), "counterfactual", r"offers Replaying"),
        (Plain(), "adam_dynamics", r"offers Adaptive"),
        (Weightless(), "norms", r"norms: this experiment trains no weights by gradient"),
    ],
)
def test_a_named_hook_whose_needs_are_not_met_is_an_error(
    learner: Any, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        choose(learner, names=(name,))


def test_a_group_leaves_such_hooks_out_with_a_note() -> None:
    solution = {"gradient_projection", "subspace_gradient_info"}
    kept = names(choose(group="full"))
    assert kept == set(GENERIC_GROUPS["full"]) - solution
    (note,) = catalogue.notes(EXPERIMENT, HookChoice(group="full"), TinyLearner())
    assert note.startswith("left out: gradient_projection, subspace_gradient_info: compares with")
    learner: Any = Weightless()
    first, second = catalogue.notes(EXPERIMENT, HookChoice(group="full"), learner)
    assert first.startswith("left out: adam_dynamics, batch_dynamics, ")
    assert first.endswith(": this experiment trains no weights by gradient")
    assert second.startswith("left out: hessian: needs a learner that offers Differentiable")
    assert names(choose(Weightless(), group="full")) == {
        "training_metrics",
        "training_diagnostics",
    }
    assert catalogue.notes(EXPERIMENT, HookChoice(group="minimal"), TinyLearner()) == []


@pytest.mark.parametrize("point", ["POST_EPOCH", "on_epoch_end"])
@pytest.mark.parametrize("by_path", [False, True])
def test_a_users_file_adds_hooks(project: Path, point: str, by_path: bool) -> None:
    folder = project / ("elsewhere" if by_path else "hooks")
    folder.mkdir(exist_ok=True)
    file = folder / "mine.py"
    file.write_text(USER_HOOK.format(name="weight_mean", point=point))
    wanted = (str(file),) if by_path else ("weight_mean",)
    hooks = choose(names=wanted, settings={"weight_mean": {"scale": 3.0}})
    assert names(hooks) == {"training_metrics", "weight_mean"}
    learner = TinyLearner(epochs=1)
    learner.total_epochs = 2
    Trainer(learner, project / "run", hooks=hooks, rhythm=Rhythm(0)).run()
    series = sinks.series(project / "run" / "metrics.jsonl")
    last = [v for *_, name, step, v in series if (name, step) == ("weight_mean/mean", 10)]
    torch.testing.assert_close(torch.tensor(last), 3 * learner.model.values().mean(1))


def test_a_file_in_hooks_may_be_named_by_path_too(project: Path) -> None:
    file = project / "hooks" / "mine.py"
    file.write_text(USER_HOOK.format(name="weight_mean", point="POST_EPOCH"))
    assert "weight_mean" in names(choose(names=(str(file), "weight_mean")))


def test_two_hooks_of_one_name_are_refused(project: Path) -> None:
    (project / "hooks" / "mine.py").write_text(USER_HOOK.format(name="norms", point="POST_EPOCH"))
    with pytest.raises(ConfigError, match=r"hook norms: defined in .*rename one"):
        choose(group="minimal")


def test_an_unknown_point_names_the_nearest(project: Path) -> None:
    file = project / "hooks" / "mine.py"
    file.write_text(USER_HOOK.format(name="weight_mean", point="POST_EPOC"))
    hooks = choose(names=("weight_mean",))
    with pytest.raises(ConfigError, match=r"'POST_EPOC'.*did you mean POST_EPOCH"):
        Trainer(TinyLearner(), project / "run", hooks=hooks)


def test_a_file_that_cannot_be_imported_is_named(project: Path) -> None:
    (project / "hooks" / "mine.py").write_text("import nonsense_that_is_not_there")
    with pytest.raises(ConfigError, match=r"mine.py: cannot be imported: ModuleNotFoundError"):
        choose(group="minimal")


def test_description_of_a_hook() -> None:
    text = about.describe(TrainingMetrics)
    assert "on_epoch_end (POST_EPOCH)" in text
    assert "training_metrics/perplexity: exp(loss)" in text
    assert "observes only" in text


def test_page_lists_every_hook_metric_and_setting() -> None:
    page = hooks_page({"tiny": EXPERIMENT})
    for module in catalogue.library_modules():
        for hook in catalogue.hooks_of(module):
            assert f"### {hook.name}\n" in page
            assert all(f"| `{metric}` |" in page for metric in hook.metrics)
            assert hook.__doc__
            assert hook.cost
    assert "| any | `minimal` | training_metrics |" in page
    assert "| tiny |" not in page  # its groups are those of any experiment
    assert "| `significance" not in page
    assert "`window` | How many measured epochs are compared. Default: `10`." in page


def test_docs_are_what_the_hooks_say() -> None:
    page = Path(__file__).parents[3] / "docs" / "hooks.md"
    written = hooks_page({name: find(name) for name in available()})
    assert page.read_text(encoding="utf-8") == written, (
        "docs/hooks.md is out of date; renew it: python -m versus.core.hooks.page > docs/hooks.md"
    )
