"""Verbs about the whole project: list, demo, report, sync, ui."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from versus.core.arguments import Option, load, no_more, parse
from versus.core.display import Display

if TYPE_CHECKING:
    from versus.core.experiment import Experiment
    from versus.core.stages import Places


def list_experiments(words: list[str]) -> None:
    """Name the experiments."""
    from versus.core.experiment import about, available

    _, rest = parse("list", "Experiments and what they compare.", words)
    no_more("list", rest)
    for name in available():
        sys.stdout.write(f"{name:10} {about(name)}\n")


def demo(words: list[str]) -> None:
    """Every experiment at its smallest."""
    about = "Every experiment of params/pipeline.yaml at its smallest, under runs/demo."
    options, rest = parse("demo", about, words)
    no_more("demo", rest)

    from versus.core import config as configs
    from versus.core import evaluation
    from versus.core.paths import project_root, shown
    from versus.core.report import page
    from versus.core.stages import adhoc_places
    from versus.verbs.comparisons import run_comparison

    display, root = Display(options.quiet), project_root()
    runs = root / "runs" / "demo"
    for name in configs.read_yaml(root / "params" / "pipeline.yaml")["experiments"]:
        display.note(f"--- {name}")
        experiment, comparison = load(name, None, "smoke", [])
        out = runs / name / "results"
        places = adhoc_places(experiment, comparison, "smoke", out=out, runs=runs)
        run_comparison(experiment, comparison, places, display, tracked=True)
        evaluation.evaluate_results(experiment, places, display)
        _titles(experiment, places, display)
    page.write(sorted(runs.glob("*/results")), runs / "report.html", root / "results/claims.json")
    display.line(f"report: {shown(runs / 'report.html')}")
    display.line("next: make ui (MLflow on 127.0.0.1), or the study: .venv/bin/dvc repro")


def _titles(experiment: "Experiment", places: "Places", display: Display) -> None:
    """The candidates of a comparison take the title if they may, and one other model tries."""
    from versus.core import promotion
    from versus.core.errors import VersusError
    from versus.core.evaluation import read_suite
    from versus.core.paths import read_json

    models = read_json(places.results / "run.json").get("models", {}).values()
    suite = read_suite(read_json(places.results / "config.json")["experiment"])
    gate = promotion.gate(experiment, suite)
    for name in map(promotion.name_of, suite.models):
        versions = [f"models:/{name}/{one['version']}" for one in models if one["name"] == name]
        # The last one registered is the candidate.
        for uri in dict.fromkeys([*versions[-1:], *versions[:1]]):
            try:
                promotion.promote(gate, uri, display)
            except VersusError as error:
                display.warn(str(error))


def claims(words: list[str]) -> None:
    """Statements against measurements."""
    file = Option("file", "the claims (default: evaluation/claims.yaml)", Path)
    about = (
        "Hold what source documents and papers state against the newest finished comparisons in "
        "MLflow. Writes results/claims.md and results/claims.json."
    )
    options, rest = parse("claims", about, words, file)
    no_more("claims", rest)

    from versus.core.claims import config, page, runs
    from versus.core.paths import project_root, shown

    known = config.read(options.file)
    found = runs.evaluate(known, project_root())
    page.write(known, found, project_root() / "results")
    display = Display(options.quiet)
    display.line(page.overview(known, found))
    display.line(page.counts(found))
    display.line(shown(project_root() / "results" / "claims.md"))


def report(words: list[str]) -> None:
    """All results as one page."""
    profile = Option("profile", "which results (default: default)", default="default")
    about = (
        "All results of a profile as one HTML page that needs nothing beside it, and as Markdown: "
        "verdicts, pictures, cost, claims (of the last `versus claims`), data and runs."
    )
    options, rest = parse("report", about, words, profile)
    no_more("report", rest)

    from versus.core.paths import project_root, shown
    from versus.core.report import page

    results = project_root() / "results"
    folders = sorted((results / options.profile).glob("*"))
    target = results / f"report-{options.profile}.html"
    for path in page.write(folders, target, results / "claims.json"):
        Display(options.quiet).line(shown(path))


def sync(words: list[str]) -> None:
    """Send what MLflow lacks."""
    about = "Send to MLflow what could not be sent before; harmless to repeat."
    options, rest = parse("sync", about, words)
    no_more("sync", rest)

    from versus.core import delivery
    from versus.core.search import runner

    display = Display(options.quiet)
    if delivery.sync(display) + runner.sync(display) == 0:
        display.line("nothing to send")


def ui(words: list[str]) -> None:
    """Open the MLflow UI."""
    port = Option("port", "default: 5000", int, default=5000)
    options, rest = parse("ui", "Open the MLflow UI on 127.0.0.1.", words, port)
    no_more("ui", rest)

    import subprocess

    from versus.core import tracking
    from versus.core.paths import project_root

    uri = tracking.tracking_uri(project_root())
    tracking.initialise(uri)
    sys.stdout.write(
        f"http://127.0.0.1:{options.port}/#/experiments?workflowType=machine_learning\n"
    )
    sys.stdout.flush()
    serve = ["ui", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(options.port)]
    subprocess.run([sys.executable, "-m", "mlflow", *serve], check=False)
