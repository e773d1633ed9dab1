"""Templates -> the files of an experiment.

A template is the file that it becomes, with two additions. ``$word`` is replaced by a value. Lines
between ``#: WORDS`` and the next such line are kept where every word holds: ``supervised``,
``grokking`` and ``language-model`` are the kind, ``scaffold`` and ``smart`` the mode, ``a|b`` is
either of them, and ``end`` always holds.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Template

from versus.core.scaffold.request import DEFAULTS, Kind, Request

TEMPLATES = Path(__file__).with_name("templates")
MARK = "#: "
PROFILES = ("smoke", "default", "full")
WIDTH = 100

SUBJECT: Mapping[Kind, tuple[str, str]] = {
    "supervised": ("Activations", "of a small network that tells noisy spirals apart"),
    "grokking": ("Weight decays", "of a small network that learns modular addition"),
    "language-model": ("Sizes", "of a small GPT-2 that learns sums"),
}
"""What the variants of a kind are, and of what."""

VALUES: Mapping[Kind, Mapping[str, str]] = {
    "supervised": {
        "weight_decay": "0.01",
        "metric": "best/test_accuracy",
        "direction": "maximize",
        "score": "accuracy",
        "item_score": "test_accuracy",
        "score_direction": "maximize",
        "dtype": "float32",
        "example": "(2, 2)",
        "test_batch": "16",
    },
    "grokking": {
        "weight_decay": "1.0",
        "metric": "epochs/generalised",
        "direction": "minimize",
        "score": "accuracy",
        "item_score": "accuracy",
        "score_direction": "maximize",
        "dtype": "int64",
        "example": "(2, 2)",
        "test_batch": "20",
    },
    "language-model": {
        "weight_decay": "0.01",
        "metric": "best/test_perplexity",
        "direction": "minimize",
        "score": "loss",
        "item_score": "test_loss",
        "score_direction": "minimize",
        "dtype": "int64",
        "example": "(2, 4)",
        "test_batch": "8",
    },
}
SMOKE_EPOCHS: Mapping[Kind, int] = {"supervised": 10, "grokking": 20, "language-model": 4}


def render(text: str, marks: set[str], values: Mapping[str, object]) -> str:
    """The text of a template for one kind and mode.

    Raises:
        KeyError: if a value is missing.
    """
    kept, lines = True, []
    for line in text.splitlines(keepends=True):
        if line.startswith(MARK):
            words = line.removeprefix(MARK).split()
            kept = all({"end", *marks} & set(word.split("|")) for word in words)
        elif kept:
            lines.append(line)
    return Template("".join(lines)).substitute(values)


def files_of(request: Request) -> dict[str, str]:
    """Path in the checkout -> text of every file of the new experiment."""
    name, kind = request.name, request.kind
    package, tests = f"src/versus/experiments/{name}", f"tests/unit/{name}"
    sources = {
        f"{package}/__init__.py": "shared/__init__.py",
        f"{package}/config.py": "shared/config.py",
        f"{package}/data/__init__.py": f"{kind}/data.py",
        f"{package}/model.py": f"{kind}/model.py",
        f"{package}/learner.py": "shared/learner.py",
        f"{package}/evaluate.py": "shared/evaluate.py",
        f"params/{name}.yaml": "shared/params.yaml",
        **{f"params/{p}/{name}.yaml": f"shared/{p}.yaml" for p in PROFILES},
        f"evaluation/{name}.yaml": "shared/suite.yaml",
        f"{tests}/test_{name}.py": "shared/test.py",
    }
    marks: set[str] = {request.kind, request.mode}
    values = values_of(request)
    made = {
        path: render((TEMPLATES / f"{source}.txt").read_text(encoding="utf-8"), marks, values)
        for path, source in sources.items()
    }
    return {**made, f"{tests}/__init__.py": ""}


def values_of(request: Request) -> dict[str, object]:
    """What the templates' words stand for."""
    names = request.variants or tuple(DEFAULTS[request.kind].variants)
    return {
        **VALUES[request.kind],
        "name": request.name,
        "class_name": "".join(word.capitalize() for word in request.name.split("_")) + "Learner",
        "about": _about(request, names),
        "epochs": request.epochs,
        "batch_size": request.batch_size,
        "lr": f"{request.lr:g}",
        "seeds": request.seeds,
        "smoke_seeds": min(3, request.seeds),
        "smoke_epochs": max(2, min(SMOKE_EPOCHS[request.kind], request.epochs)),
        "smoke_batch": min(32, request.batch_size),
        "variants": _variants(request),
        "baseline": names[0],
        "count": len(names),
    }


def _about(request: Request, names: tuple[str, ...]) -> str:
    """The line by which `versus list` introduces the experiment."""
    what, of = SUBJECT[request.kind]
    start = f"{'Variants' if request.variants else what} {of}"
    whole = f"{start}: {', '.join(names)}."
    return whole if len(whole) <= WIDTH - 3 else f"{start}."


def _variants(request: Request) -> str:
    """The section ``variants`` of the params file."""
    if not request.variants:
        known = DEFAULTS[request.kind].variants.items()
        todo = ["  # TODO: your own variants, the baseline first."] * (request.mode == "scaffold")
        return "\n".join(["variants:", *todo, *(f"  {name}: {values}" for name, values in known)])
    lines = ["variants:", f"  {request.variants[0]}: {{}}  # the baseline: the settings above"]
    for number, name in enumerate(request.variants[1:], 1):
        rate = f"{request.lr / 2**number:g}"
        lines.append(
            f"  # TODO: what is different about {name}; a smaller step size stands for it."
        )
        lines.append(f"  {name}: {{train: {{lr: {rate}}}}}")
    return "\n".join(lines)
