"""``Dockerfile`` and ``deploy/``: what they name is there. No container engine is asked."""

import configparser
import re
import shlex
import stat
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from versus.core.config import read_yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PINNED = re.compile(r"[\w./-]+:[\w.-]*\d+\.\d+[\w.-]*")
SCRIPTS = ("serve", "backup", "restore")


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments of every line, continued lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in pairs]


def stages() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, rest in instructions():
        if word == "FROM":
            name = rest.split(" AS ")[1]
            found[name] = []
        elif name:
            found[name].append((word, rest))
    return found


def copied() -> set[str]:
    return {
        source
        for word, rest in instructions()
        if word == "COPY"
        for source in shlex.split(rest)[:-1]
    }


def env_example() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose() -> dict[str, Any]:
    return read_yaml(DEPLOY / "compose.yaml")


def test_the_base_image_is_pinned_and_other_stages_build_on_it() -> None:
    values = dict(rest.split("=") for word, rest in instructions() if word == "ARG")
    bases = [rest.split(" AS ")[0] for word, rest in instructions() if word == "FROM"]
    assert PINNED.fullmatch(bases[0].replace("${PYTHON}", values["PYTHON"]))
    assert set(bases[1:]) == {"base"}
    assert values["TORCH"] == "cpu"


def test_everything_that_is_copied_is_there_and_let_in() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert copied() == allowed
    assert len(copied()) > 10
    for source in copied():
        assert (ROOT / source).exists(), source
    assert not any(fnmatch("deploy/.env", name) for name in allowed)


@pytest.mark.parametrize(
    ("stage", "entry"), [("server", "/opt/deploy/serve"), ("versus", "versus")]
)
def test_an_image_runs_what_it_says_and_not_as_root(stage: str, entry: str) -> None:
    words = stages()[stage]
    told = dict(words)
    assert told["ENTRYPOINT"] == f'["{entry}"]'
    assert told["USER"] == "versus"
    last = [word for word, _ in words]
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert "RUN" not in last[last.index("USER") :]
    assert "CMD [" in told["HEALTHCHECK"]


def test_pickles_are_refused_wherever_the_project_sets_the_environment() -> None:
    setting = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
    assert f"export {setting} := false" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"{setting}=false" in dict(stages()["base"])["ENV"]


def test_the_build_installs_as_make_setup_does() -> None:
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    runs = " ".join(rest for word, rest in stages()["versus"] if word == "RUN")
    for step in ("-r requirements.lock", "--no-deps --no-build-isolation -e .", "pip check"):
        assert step in made
        assert step in runs
    for name in ("TORCH_INDEX", "grep '^torch==' requirements.lock"):
        assert name in runs


def test_variables_of_compose_stand_in_the_example_and_secrets_are_empty() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used <= env_example().keys()
    assert len(used) > 8
    assert set(re.findall(r"\$\{\w+([^}]*)\}", text)) == {":?"}  # none is empty unnoticed
    secrets = [name for name in env_example() if re.search("PASSWORD|SECRET|KEY_ID", name)]
    assert len(secrets) == 5
    assert not any(env_example()[name] for name in secrets)


def test_secrets_cannot_be_committed() -> None:
    for path in ("deploy/.env", ".env"):
        done = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False)
        assert done.returncode == 0, path
    done = subprocess.run(["git", "check-ignore", "-q", "deploy/.env.example"], cwd=ROOT)
    assert done.returncode == 1


def test_files_and_volumes_of_compose_are_there() -> None:
    tree = compose()
    kept = set(tree["volumes"])
    for name, service in tree["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            place = DEPLOY / source if source.startswith(".") else None
            assert place.is_file() if place else source in kept, (name, volume)
        assert {entry["source"] for entry in service.get("configs", ())} <= tree["configs"].keys()
        assert set(service.get("depends_on", ())) <= tree["services"].keys()


def test_images_are_pinned_ports_are_local_and_health_is_asked() -> None:
    for name, service in compose()["services"].items():
        assert "healthcheck" in service, name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / "Dockerfile").is_file()
            assert service["build"]["target"] in stages()
        else:
            assert PINNED.fullmatch(service["image"]), service["image"]


def test_every_variable_that_the_scripts_need_is_set_by_compose() -> None:
    text = (DEPLOY / "serve").read_text(encoding="utf-8")
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    assert len(needed) == 4
    assert needed <= compose()["services"]["mlflow"]["environment"].keys()
    assert needed <= env_example().keys()


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_can_be_read_by_a_shell(name: str) -> None:
    path = DEPLOY / name
    assert path.stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


def test_a_script_without_its_settings_says_what_is_missing() -> None:
    done = subprocess.run(
        [str(DEPLOY / "serve")],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "PGHOST: host of PostgreSQL" in done.stderr


def test_users_and_studies_have_databases() -> None:
    made = (DEPLOY / "databases.sql").read_text(encoding="utf-8")
    names = set(re.findall(r"create database (\w+)", made))
    parser = configparser.ConfigParser()
    parser.read(DEPLOY / "basic_auth.ini")
    assert parser["mlflow"]["database_uri"].rpartition("/")[2] in names
    for script in ("backup", "restore"):
        listed = re.search(r"for database in (.*); do", (DEPLOY / script).read_text())
        assert listed
        assert set(listed[1].split()) == names | {"mlflow"}


def test_the_unit_starts_the_script() -> None:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "mlflow.service")
    started = Path(parser["Service"]["ExecStart"])
    assert (ROOT / started.relative_to("/opt/versus")).is_file()
    assert parser["Service"]["User"] != "root"
