"""The command line. Nothing heavy is imported before a verb needs it."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import versus
from versus.core.errors import ConfigError, VersusError

if TYPE_CHECKING:
    from versus.core.display import Display
    from versus.core.experiment import BaseComparison, Experiment
    from versus.core.stages import Places

USAGE = """\
versus: controlled comparisons of learning systems

usage: versus VERB [EXPERIMENT] [options] [--key value ...]

  list                  experiments and what they compare
  train X               run the comparison: data, training, verdict
  compare X             verdict and plots again, from the tables on disk
  evaluate X            measure registered models; reproduces the training's metrics
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
        sys.stdout.write(USAGE)
        return 0
    if words[0] == "--version":
        sys.stdout.write(f"versus {versus.__version__}\n")
        return 0
    try:
        return _verb(words[0])(words[1:])
    except VersusError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command continues where this one stopped\n")
        return 1
    except BrokenPipeError:
        return 1


def _verb(name: str) -> Callable[[list[str]], int]:
    verbs: dict[str, Callable[[list[str]], int]] = {
        "list": _list,
        "train": _train,
        "compare": _compare,
        "evaluate": _evaluate,
        "plots": _plots,
        "stage": _stage,
        "demo": _demo,
        "report": _report,
        "sync": _sync,
        "ui": _ui,
    }
    if name not in verbs:
        raise ConfigError(f"versus {name}: no such verb; choose one of {', '.join(verbs)}")
    return verbs[name]


# --- options --------------------------------------------------------------------------------------


def _parser(verb: str, about: str, experiment: bool = True) -> argparse.ArgumentParser:
    usage = f"versus {verb}{' EXPERIMENT' if experiment else ''} [options]"
    parser = argparse.ArgumentParser(usage=usage, description=about, allow_abbrev=False)
    parser.add_argument(
        "--quiet",
        nargs="?",
        const=True,
        default=False,
        type=_switch,
        help="results only: no progress, no notes",
    )
    return parser


def _switch(text: str) -> bool:
    """Accept what ``mlflow run -P quiet=true`` passes."""
    if text.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise argparse.ArgumentTypeError(f"expected true or false, received {text!r}")
    return text.lower() in ("true", "1", "yes", "on")


def _add_comparison_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="params file, or config.json of an earlier run (default: params/X.yaml)",
    )
    parser.add_argument(
        "--profile",
        default="",
        metavar="NAME",
        help="overlay params/NAME/X.yaml: smoke, default, full, ...",
    )


def _named_experiment(words: list[str], verb: str) -> tuple[str, list[str]]:
    if words and not words[0].startswith("-"):
        return words[0], words[1:]
    if any(word in ("-h", "--help") for word in words):
        return "", words
    from versus.core.experiment import available

    raise ConfigError(f"versus {verb}: name an experiment first: {', '.join(available())}")


def _load(
    name: str, options: argparse.Namespace, rest: list[str]
) -> "tuple[Experiment, BaseComparison]":
    from versus.core import config as configs
    from versus.core.experiment import find
    from versus.core.paths import project_root, shown

    experiment = find(name)
    path = options.config or project_root() / "params" / f"{name}.yaml"
    layers: list[tuple[str, dict[str, Any]]] = [(shown(path), configs.read_yaml(path))]
    held = layers[0][1].get("experiment", name)
    if held != name:
        raise ConfigError(
            f"experiment ({shown(path)}): the file is of {held!r}, the command of {name!r}"
        )
    for extra in ("profile", "data_digest"):  # a config.json holds them for the reader
        layers[0][1].pop(extra, None)
    if options.profile:
        overlay = path.parent / options.profile / path.name
        if not overlay.is_file():
            known = sorted(p.parent.name for p in path.parent.glob(f"*/{path.name}"))
            raise ConfigError(
                f"--profile: no {shown(overlay)}; there are {', '.join(known) or 'none'}"
            )
        layers.append((shown(overlay), configs.read_yaml(overlay)))
    for key, value in configs.parse_overrides(rest, experiment.Comparison, experiment.ALIASES):
        layers.append((configs.COMMAND_LINE, configs.nested(key, value)))
    comparison: BaseComparison = configs.load(experiment.Comparison, layers)
    comparison.expand()  # a variant's mistake is found before any work
    comparison.baselines()
    return experiment, comparison


def _parse(
    parser: argparse.ArgumentParser, name: str, words: list[str]
) -> tuple[argparse.Namespace, list[str]]:
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(parser.format_help())
        if name:
            sys.stdout.write(_describe_keys(name))
        raise SystemExit(0)
    try:
        return parser.parse_known_args(words)
    except SystemExit as error:  # argparse has printed what is wrong
        raise ConfigError("see the line above; --help lists the options") from error


def _describe_keys(name: str) -> str:
    from versus.core import config as configs
    from versus.core.experiment import find

    experiment = find(name)
    flags: dict[str, list[str]] = {}
    for alias, key in experiment.ALIASES.items():
        flags.setdefault(key, []).append(f"--{alias}")
    lines = [
        f"\n{(experiment.__doc__ or '').strip()}\n",
        "keys of the params file, each also an option (--key value):",
    ]
    for key, _, default, about in configs.describe(experiment.Comparison):
        also = f"  [{' '.join(flags.pop(key, []))}]".replace("  []", "")
        value = getattr(default, "value", default)
        lines.append(f"  --{key}{also}  (default {value!r:.40})\n      {' '.join(about.split())}")
    lines += [f"  {' '.join(names)}  same as --{key}" for key, names in flags.items()]
    return "\n".join(lines) + "\n"


def _no_more(rest: list[str], verb: str) -> None:
    if rest:
        raise ConfigError(f"versus {verb}: unknown option {rest[0]!r}; see versus {verb} --help")


# --- verbs ----------------------------------------------------------------------------------------


def _list(words: list[str]) -> int:
    from versus.core.experiment import about, available

    _no_more(words, "list")
    for name in available():
        sys.stdout.write(f"{name:10} {about(name)}\n")
    return 0


def _train(words: list[str]) -> int:
    name, words = _named_experiment(words, "train")
    parser = _parser(
        "train",
        "Run a comparison: data, training, verdict. The same command continues "
        "an interrupted run, and says so when it is already done.",
    )
    _add_comparison_options(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for tables, models, verdict and plots"
    )
    parser.add_argument(
        "--no-tracking",
        action="store_true",
        help="do not log to MLflow now; `versus sync` can later",
    )
    options, rest = _parse(parser, name, words)

    from versus.core.display import Display
    from versus.core.stages import adhoc_places

    display = Display(options.quiet)
    experiment, comparison = _load(name, options, rest)
    places = adhoc_places(experiment, comparison, options.profile or "base", out=options.out)
    _run(experiment, comparison, places, display, tracked=not options.no_tracking)
    return 0


def _run(
    experiment: "Experiment",
    comparison: "BaseComparison",
    places: "Places",
    display: "Display",
    tracked: bool,
) -> None:
    """Data, training, verdict and tracking of one comparison."""
    from versus.core import delivery, pipeline, stages
    from versus.core.paths import shown

    stages.prepare(experiment, comparison, places.data)
    send = delivery.sender(experiment, comparison, places, display) if tracked else None
    pipeline.train(experiment, comparison, places, display, send)
    verdict = pipeline.compare(experiment, comparison, places)
    display.line(delivery.summary(experiment, verdict, places))
    if send is not None:
        send()
    display.note(f"results: {shown(places.results)}")
    for link in delivery.links(places) if tracked else []:
        display.note(link)


def _compare(words: list[str]) -> int:
    name, words = _named_experiment(words, "compare")
    parser = _parser("compare", "Verdict and plots again, from the tables on disk.")
    _add_comparison_options(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="results folder (default: that of `versus train`)"
    )
    options, rest = _parse(parser, name, words)

    from versus.core import delivery, pipeline
    from versus.core.display import Display
    from versus.core.stages import adhoc_places

    experiment, comparison = _load(name, options, rest)
    places = adhoc_places(experiment, comparison, options.profile or "base", out=options.out)
    verdict = pipeline.compare(experiment, comparison, places)
    Display(options.quiet).line(delivery.summary(experiment, verdict, places))
    return 0


def _stage(words: list[str]) -> int:
    name, words = _named_experiment(words, "stage")
    stage = words.pop(0) if words and not words[0].startswith("-") else ""
    parser = _parser(
        "stage",
        "One stage of the pipeline (data, train, compare, evaluate), with outputs under "
        "results/<profile>/<experiment>: what dvc.yaml calls.",
    )
    _add_comparison_options(parser)
    options, rest = _parse(parser, name, words)

    from versus.core import delivery, pipeline, stages
    from versus.core.display import Display

    display = Display(options.quiet)
    profile = options.profile = options.profile or "default"
    experiment, comparison = _load(name, options, rest)
    places = stages.pipeline_places(comparison, profile)
    send = delivery.sender(experiment, comparison, places, display)
    match stage:
        case "data":
            digest = stages.prepare(experiment, comparison, places.data)
            display.note(f"data {digest}")
        case "train":
            pipeline.train(experiment, comparison, places, display, send)
        case "compare":
            verdict = pipeline.compare(experiment, comparison, places)
            display.line(delivery.summary(experiment, verdict, places))
            send()
        case "evaluate":
            delivery.evaluate_results(experiment, places, display)
        case _:
            raise ConfigError(
                f"versus stage: no stage {stage!r}; choose data, train, compare or evaluate"
            )
    return 0


def _evaluate(words: list[str]) -> int:
    name, words = _named_experiment(words, "evaluate")
    parser = _parser(
        "evaluate",
        "Measure models on the data they were trained for; every metric must equal what "
        "training recorded.",
    )
    parser.add_argument("--model", metavar="URI", help="models:/NAME@ALIAS or models:/NAME/VERSION")
    parser.add_argument(
        "--path", type=Path, metavar="DIR", help="a model folder, or a results folder with models/"
    )
    parser.add_argument(
        "--suite", type=Path, metavar="FILE", help="default: evaluation/<experiment>.yaml"
    )
    options, rest = _parse(parser, name, words)
    _no_more(rest, "evaluate")

    from versus.core import delivery, pipeline
    from versus.core.display import Display
    from versus.core.experiment import find
    from versus.core.paths import project_root

    suite = pipeline.read_suite(options.suite or project_root() / "evaluation" / f"{name}.yaml")
    delivery.evaluate_models(find(name), suite, options.model, options.path, Display(options.quiet))
    return 0


def _plots(words: list[str]) -> int:
    name, words = _named_experiment(words, "plots")
    parser = _parser(
        "plots", "Pictures of a finished comparison, or of a table with the experiment's columns."
    )
    _add_comparison_options(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="draw this table instead")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the pictures go, or the results folder"
    )
    options, rest = _parse(parser, name, words)

    from versus.core.display import Display
    from versus.core.experiment import find
    from versus.core.paths import shown
    from versus.core.stages import adhoc_places

    if options.csv is not None:
        _no_more(rest, "plots")
        pictures = find(name).plots_of_csv(options.csv, options.out or options.csv.parent / "plots")
    else:
        experiment, comparison = _load(name, options, rest)
        places = adhoc_places(experiment, comparison, options.profile or "base", out=options.out)
        pictures = experiment.plots(comparison, places.results)
    for picture in pictures:
        Display(options.quiet).line(shown(picture))
    return 0


def _demo(words: list[str]) -> int:
    parser = _parser("demo", "Every experiment at its smallest, under runs/demo.", experiment=False)
    options, rest = _parse(parser, "", words)
    _no_more(rest, "demo")

    from versus.core import delivery, pipeline
    from versus.core.display import Display
    from versus.core.experiment import available
    from versus.core.paths import project_root, shown
    from versus.core.stages import adhoc_places

    display = Display(options.quiet)
    runs = project_root() / "runs" / "demo"
    for name in available():
        display.note(f"--- {name}")
        choice = argparse.Namespace(config=None, profile="smoke")
        experiment, comparison = _load(name, choice, [])
        places = adhoc_places(
            experiment, comparison, "smoke", out=runs / name / "results", runs=runs
        )
        _run(experiment, comparison, places, display, tracked=True)
        delivery.evaluate_results(experiment, places, display)
    pipeline.report(runs, "*/results", runs / "report.md")
    display.line(f"report: {shown(runs / 'report.md')}")
    display.line(
        "next: make ui (MLflow on 127.0.0.1), or the default comparison: .venv/bin/dvc repro"
    )
    return 0


def _report(words: list[str]) -> int:
    parser = _parser("report", "All verdicts of a profile as one Markdown page.", experiment=False)
    parser.add_argument(
        "--profile", default="default", metavar="NAME", help="which results (default: default)"
    )
    options, rest = _parse(parser, "", words)
    _no_more(rest, "report")

    from versus.core import pipeline
    from versus.core.display import Display
    from versus.core.paths import project_root, shown

    page = project_root() / "results" / f"report-{options.profile}.md"
    pipeline.report(project_root() / "results" / options.profile, "*", page)
    Display(options.quiet).line(shown(page))
    return 0


def _sync(words: list[str]) -> int:
    parser = _parser(
        "sync",
        "Send to MLflow what could not be sent before; harmless to repeat.",
        experiment=False,
    )
    options, rest = _parse(parser, "", words)
    _no_more(rest, "sync")

    from versus.core import delivery
    from versus.core.display import Display

    delivery.sync(Display(options.quiet))
    return 0


def _ui(words: list[str]) -> int:
    parser = _parser("ui", "Open the MLflow UI on 127.0.0.1.", experiment=False)
    parser.add_argument("--port", type=int, default=5000, help="default: 5000")
    options, rest = _parse(parser, "", words)
    _no_more(rest, "ui")

    import subprocess

    from versus.core import tracking
    from versus.core.paths import project_root

    uri = tracking.tracking_uri(project_root())
    tracking.initialise(uri)
    sys.stdout.write(
        f"http://127.0.0.1:{options.port}/#/experiments?workflowType=machine_learning\n"
    )
    sys.stdout.flush()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        uri,
        "--host",
        "127.0.0.1",
        "--port",
        str(options.port),
    ]
    return subprocess.run(command, check=False).returncode
