"""The command line. Nothing heavy is imported before a verb needs it."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import versus
from versus.core.errors import ConfigError, VersusError

if TYPE_CHECKING:
    from versus.core.display import Display
    from versus.core.experiment import Experiment
    from versus.core.runs import BaseComparison
    from versus.core.stages import Places

USAGE = """\
versus: controlled comparisons of learning systems

usage: versus VERB [EXPERIMENT] [options] [--key value ...]

  list                  experiments and what they compare
  train X               run the comparison: data, training, verdict
  compare X             verdict and plots again, from the tables on disk
  evaluate X            measure registered models; reproduces the training's metrics
  search X --trials N   look for better settings on the tuning seeds (Optuna)
  plots X [--csv FILE]  pictures of a finished comparison, or of a table from elsewhere
  stage X NAME          one pipeline stage (data, train, compare, evaluate): what dvc.yaml calls
  demo                  every experiment at its smallest, under runs/demo
  report                all verdicts of a profile as one Markdown page
  sync                  send to MLflow what could not be sent before
  ui                    open the MLflow UI on 127.0.0.1

`versus VERB --help` and `versus train X --help` tell more. Exit codes: 0 done, 1 the work failed,
2 the input needs mending.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0 done, 1 failed, 2 wrong input)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    if not words or words[0] in ("-h", "--help", "help"):
        return _say(USAGE)
    if words[0] == "--version":
        return _say(f"versus {versus.__version__}\n")
    return _run(words[0], words[1:])


def _say(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _run(verb: str, words: list[str]) -> int:
    from versus.core.arguments import HelpRequested

    try:
        if verb not in VERBS:
            raise ConfigError(f"versus {verb}: no such verb; choose one of {', '.join(VERBS)}")
        VERBS[verb](words)
    except HelpRequested as text:
        return _say(str(text))
    except VersusError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command continues where this one stopped\n")
        return 1
    except BrokenPipeError:
        return 1
    return 0


# --- verbs about one comparison -------------------------------------------------------------------


def _train(words: list[str]) -> None:
    from versus.core.arguments import (
        CONFIG,
        OVERLAY,
        PROFILE,
        UNTRACKED,
        Option,
        experiment_first,
        load,
        parse,
    )

    name, words = experiment_first("train", words)
    about = (
        "Run a comparison: data, training, verdict. The same command continues an interrupted "
        "run, and says so when it is already done."
    )
    out = Option("out", "folder for tables, models, verdict and plots", Path)
    options, rest = parse(
        "train", about, words, CONFIG, PROFILE, OVERLAY, out, UNTRACKED, experiment=name
    )

    from versus.core.display import Display
    from versus.core.stages import adhoc_places

    experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
    places = adhoc_places(experiment, comparison, options.profile or "base", out=options.out)
    _run_comparison(
        experiment, comparison, places, Display(options.quiet), tracked=not options.no_tracking
    )


def _run_comparison(
    experiment: "Experiment",
    comparison: "BaseComparison",
    places: "Places",
    display: "Display",
    tracked: bool,
) -> None:
    """Data, training, verdict and tracking."""
    from versus.core import delivery, pipeline, stages
    from versus.core.paths import shown

    stages.prepare(experiment, comparison, places.data)
    send = delivery.sender(experiment, comparison, places, display) if tracked else None
    pipeline.train(experiment, comparison, places, display, send)
    verdict = pipeline.compare(experiment, comparison, places)
    display.line(pipeline.summary(experiment, verdict, places))
    if send is not None:
        send()
    display.note(f"results: {shown(places.results)}")
    for link in delivery.links(places) if tracked else []:
        display.note(link)


def _search(words: list[str]) -> None:
    from versus.core.arguments import (
        CONFIG,
        OVERLAY,
        PROFILE,
        UNTRACKED,
        Option,
        experiment_first,
        load,
        parse,
        positive,
    )

    name, words = experiment_first("search", words)
    about = (
        "Look for better settings: trials of search.space, scored on the tuning seeds. The same "
        "command continues a study, here or beside other workers; the best settings become an "
        "overlay for versus train."
    )
    trials = Option("trials", "finished trials of the whole study", positive, default=50)
    study_name = Option("study", "name of the study (default: from its params, data and code)")
    storage = Option("storage", "SQLAlchemy address for Optuna (default: optuna.db of the project)")
    workers = Option("workers", "processes on this machine", positive, default=1)
    own = (trials, study_name, storage, workers, UNTRACKED)
    options, rest = parse("search", about, words, CONFIG, PROFILE, OVERLAY, *own, experiment=name)

    from versus.core.display import Display
    from versus.core.search import runner

    experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
    study = runner.open_study(experiment, comparison, options.study, Display(options.quiet))
    runner.run(
        study,
        trials=options.trials,
        storage=options.storage or runner.default_storage(),
        helpers=runner.helper_commands([name, *words], options.workers),
        tracked=not options.no_tracking,
    )


def _compare(words: list[str]) -> None:
    from versus.core.arguments import (
        CONFIG,
        OVERLAY,
        PROFILE,
        Option,
        experiment_first,
        load,
        parse,
    )

    name, words = experiment_first("compare", words)
    about = "Verdict and plots again, from the tables on disk."
    out = Option("out", "results folder (default: that of versus train)", Path)
    options, rest = parse("compare", about, words, CONFIG, PROFILE, OVERLAY, out, experiment=name)

    from versus.core import pipeline
    from versus.core.display import Display
    from versus.core.stages import adhoc_places

    experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
    places = adhoc_places(experiment, comparison, options.profile or "base", out=options.out)
    verdict = pipeline.compare(experiment, comparison, places)
    Display(options.quiet).line(pipeline.summary(experiment, verdict, places))


def _stage(words: list[str]) -> None:
    from versus.core.arguments import CONFIG, PROFILE, experiment_first, load, parse

    name, words = experiment_first("stage", words)
    stage = words.pop(0) if words and not words[0].startswith("-") else ""
    about = (
        "One stage of the pipeline (data, train, compare, evaluate), with outputs under "
        "results/<profile>/<experiment>: what dvc.yaml calls."
    )
    options, rest = parse("stage", about, words, CONFIG, PROFILE, experiment=name)

    from versus.core import delivery, evaluation, pipeline, stages
    from versus.core.display import Display

    display = Display(options.quiet)
    profile = options.profile or "default"
    experiment, comparison = load(name, options.config, profile, rest)
    places = stages.pipeline_places(comparison, profile)
    send = delivery.sender(experiment, comparison, places, display)
    match stage:
        case "data":
            display.note(f"data {stages.prepare(experiment, comparison, places.data)}")
        case "train":
            pipeline.train(experiment, comparison, places, display, send)
        case "compare":
            verdict = pipeline.compare(experiment, comparison, places)
            display.line(pipeline.summary(experiment, verdict, places))
            send()
        case "evaluate":
            evaluation.evaluate_results(experiment, places, display)
        case _:
            known = "data, train, compare or evaluate"
            raise ConfigError(f"versus stage: no stage {stage!r}; choose {known}")


def _evaluate(words: list[str]) -> None:
    from versus.core.arguments import Option, experiment_first, no_more, parse

    name, words = experiment_first("evaluate", words)
    about = (
        "Measure models on the data they were trained for; every metric must equal what "
        "training recorded."
    )
    model = Option("model", "models:/NAME@ALIAS or models:/NAME/VERSION (default: the suite's)")
    path = Option("path", "a model folder, or a results folder with models/", Path)
    suite = Option("suite", "default: evaluation/<experiment>.yaml", Path)
    options, rest = parse("evaluate", about, words, model, path, suite, experiment=name)
    no_more("evaluate", rest)

    from versus.core import evaluation
    from versus.core.display import Display
    from versus.core.experiment import find

    display, experiment = Display(options.quiet), find(name)
    measured = evaluation.read_suite(name, options.suite)
    if options.path is not None:
        evaluation.evaluate_folder(experiment, measured, options.path, display)
        return
    for uri in [options.model] if options.model else measured.models:
        evaluation.evaluate_registered(experiment, measured, uri, display)


def _plots(words: list[str]) -> None:
    from versus.core.arguments import (
        CONFIG,
        OVERLAY,
        PROFILE,
        Option,
        experiment_first,
        load,
        no_more,
        parse,
    )

    name, words = experiment_first("plots", words)
    about = "Pictures of a finished comparison, or of a table with the experiment's columns."
    table = Option("csv", "draw this table instead", Path)
    out = Option("out", "where the pictures go, or the results folder", Path)
    options, rest = parse(
        "plots", about, words, CONFIG, PROFILE, OVERLAY, table, out, experiment=name
    )

    from versus.core.display import Display
    from versus.core.experiment import find
    from versus.core.paths import shown
    from versus.core.stages import adhoc_places

    if options.csv is not None:
        no_more("plots", rest)
        out_folder = options.out or options.csv.parent / "plots"
        pictures = find(name).plots_of_csv(options.csv, out_folder)
    else:
        experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
        places = adhoc_places(experiment, comparison, options.profile or "base", out=options.out)
        pictures = experiment.plots(comparison, places.results)
    for picture in pictures:
        Display(options.quiet).line(shown(picture))


# --- verbs about everything -----------------------------------------------------------------------


def _list(words: list[str]) -> None:
    from versus.core.arguments import no_more, parse
    from versus.core.experiment import about, available

    _, rest = parse("list", "Experiments and what they compare.", words)
    no_more("list", rest)
    for name in available():
        _say(f"{name:10} {about(name)}\n")


def _demo(words: list[str]) -> None:
    from versus.core.arguments import load, no_more, parse

    about = "Every experiment at its smallest, under runs/demo."
    options, rest = parse("demo", about, words)
    no_more("demo", rest)

    from versus.core import evaluation, pipeline
    from versus.core.display import Display
    from versus.core.experiment import available
    from versus.core.paths import project_root, shown
    from versus.core.stages import adhoc_places

    display, runs = Display(options.quiet), project_root() / "runs" / "demo"
    for name in available():
        display.note(f"--- {name}")
        experiment, comparison = load(name, None, "smoke", [])
        out = runs / name / "results"
        places = adhoc_places(experiment, comparison, "smoke", out=out, runs=runs)
        _run_comparison(experiment, comparison, places, display, tracked=True)
        evaluation.evaluate_results(experiment, places, display)
    pipeline.report(runs, "*/results", runs / "report.md")
    display.line(f"report: {shown(runs / 'report.md')}")
    display.line("next: make ui (MLflow on 127.0.0.1), or the study: .venv/bin/dvc repro")


def _report(words: list[str]) -> None:
    from versus.core.arguments import Option, no_more, parse

    profile = Option("profile", "which results (default: default)", default="default")
    about = "All verdicts of a profile as one Markdown page."
    options, rest = parse("report", about, words, profile)
    no_more("report", rest)

    from versus.core import pipeline
    from versus.core.display import Display
    from versus.core.paths import project_root, shown

    page = project_root() / "results" / f"report-{options.profile}.md"
    pipeline.report(project_root() / "results" / options.profile, "*", page)
    Display(options.quiet).line(shown(page))


def _sync(words: list[str]) -> None:
    from versus.core.arguments import no_more, parse

    about = "Send to MLflow what could not be sent before; harmless to repeat."
    options, rest = parse("sync", about, words)
    no_more("sync", rest)

    from versus.core import delivery
    from versus.core.display import Display
    from versus.core.search import runner

    display = Display(options.quiet)
    if delivery.sync(display) + runner.sync(display) == 0:
        display.line("nothing to send")


def _ui(words: list[str]) -> None:
    from versus.core.arguments import Option, no_more, parse

    port = Option("port", "default: 5000", int, default=5000)
    options, rest = parse("ui", "Open the MLflow UI on 127.0.0.1.", words, port)
    no_more("ui", rest)

    import subprocess

    from versus.core import tracking
    from versus.core.paths import project_root

    uri = tracking.tracking_uri(project_root())
    tracking.initialise(uri)
    _say(f"http://127.0.0.1:{options.port}/#/experiments?workflowType=machine_learning\n")
    sys.stdout.flush()
    serve = ["ui", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(options.port)]
    subprocess.run([sys.executable, "-m", "mlflow", *serve], check=False)


VERBS: dict[str, Callable[[list[str]], None]] = {
    "list": _list,
    "train": _train,
    "compare": _compare,
    "evaluate": _evaluate,
    "search": _search,
    "plots": _plots,
    "stage": _stage,
    "demo": _demo,
    "report": _report,
    "sync": _sync,
    "ui": _ui,
}
