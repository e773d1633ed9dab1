"""Bounds, lock, conda environment and what is installed say the same."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from versus.core.config import read_yaml

ROOT = Path(__file__).resolve().parents[2]
PROMISED = [
    "accelerate",
    "dvc",
    "latex2sympy2",
    "matplotlib",
    "mlflow",
    "optuna",
    "pandas",
    "peft",
    "sympy",
    "torch",
    "transformers",
]


def bounds() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return _named(project["dependencies"])


def developer_bounds() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return _named(project["optional-dependencies"]["dev"])


def lock() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return _named([line for line in lines if line and not line.startswith("#")])


def conda() -> dict[str, Requirement]:
    pip = read_yaml(ROOT / "conda.yaml")["dependencies"][-1]["pip"]
    return _named(pip)


def _named(lines: list[str]) -> dict[str, Requirement]:
    requirements = [Requirement(line) for line in lines]
    assert len({canonicalize_name(r.name) for r in requirements}) == len(lines)
    return {canonicalize_name(r.name): r for r in requirements}


def _pin(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.mark.parametrize("kind", [bounds, developer_bounds])
def test_every_bound_has_a_pin_inside_it(kind: object) -> None:
    assert callable(kind)
    pins = lock()
    for name, bound in kind().items():
        assert bound.specifier.contains(_pin(pins[name]), prereleases=True), name


def test_every_pin_is_exact_public_and_from_no_place_of_its_own() -> None:
    for name, pin in lock().items():
        assert Version(_pin(pin)).local is None, name
        assert pin.url is None, name


def test_conda_pins_the_direct_dependencies_as_the_lock_does() -> None:
    pins, pinned_by_conda = lock(), conda()
    assert pinned_by_conda.keys() == bounds().keys()
    assert {n: _pin(r) for n, r in pinned_by_conda.items()} == {
        n: _pin(pins[n]) for n in pinned_by_conda
    }


@pytest.mark.parametrize("name", PROMISED)
def test_promised_packages_are_dependencies_and_installed_as_locked(name: str) -> None:
    assert name in bounds()
    assert Version(metadata.version(name)).public == _pin(lock()[name])
