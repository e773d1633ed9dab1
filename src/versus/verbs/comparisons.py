"""Verbs about one comparison: train, compare, plots, stage, search."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from versus.core.arguments import (
    CONFIG,
    DISPLAYS,
    OVERLAY,
    PROFILE,
    UNTRACKED,
    Option,
    display_mode,
    experiment_first,
    load,
    no_more,
    parse,
    positive,
)
from versus.core.display import Display
from versus.core.errors import ConfigError

if TYPE_CHECKING:
    from versus.core.distributed import Team
    from versus.core.experiment import Experiment
    from versus.core.runs import BaseComparison
    from versus.core.stages import Places

OUT = Option("out", "folder for tables, models, verdict and plots", Path, also="output-dir")
RESUME = Option("resume", "continue, and refuse to begin anew", switch=True)
VALIDATE = Option(
    "validate-checkpoints", "train again and compare with the first, to the bit", switch=True
)
NPROC = Option(
    "nproc", "processes that train together: N, or auto for one per GPU (default: X_NPROC, else 1)"
)
HOOK_HELP = (
    Option("hooks-list", "the hooks and groups of this experiment", switch=True),
    Option("hooks-describe", "what these hooks measure, when, and with which settings", many=True),
)


def train(words: list[str]) -> None:
    """Run a comparison."""
    given = ["train", *words]
    name, words = experiment_first("train", words)
    about = (
        "Run a comparison: data, training, verdict. The same command continues an interrupted "
        "run, and says so when it is already done."
    )
    own = (CONFIG, PROFILE, OVERLAY, OUT, UNTRACKED, RESUME, VALIDATE, NPROC, *DISPLAYS)
    options, rest = parse("train", about, words, *own, *HOOK_HELP, experiment=name)
    display = Display(mode=display_mode(options))
    if options.hooks_list or options.hooks_describe is not None:
        no_more("train", rest)
        display.line(_about_hooks(name, options.hooks_describe))
        return

    from versus.core import processes
    from versus.core.stages import adhoc_places

    experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
    places = adhoc_places(experiment, comparison, options.profile or "base", out=options.out)
    count = processes.count_of(options.nproc, experiment, comparison)
    if count > 1 and comparison.launcher.kind != "local":
        raise ConfigError(
            f"launcher.kind: {comparison.launcher.kind} trains every stack in one process, and "
            f"{count} were asked for; leave --nproc out, or use launcher.kind local"
        )
    with processes.team_of(count, comparison, given) as team:
        if team is not None and team.rank:
            experiment.follow(comparison, places.data, team)
        else:
            _train(experiment, comparison, places, display, options, team)


def _train(
    experiment: "Experiment",
    comparison: "BaseComparison",
    places: "Places",
    display: Display,
    options: Namespace,
    team: "Team | None",
) -> None:
    """Train as the options ask for, with the help of those who follow."""
    from versus.core import resuming
    from versus.verbs import cluster

    if options.resume:
        resuming.check(comparison, places)
    changed = resuming.environment_changes(options.config)
    for change in changed:
        display.warn(f"{options.config}: made in another environment: {change}")
    tags = {"environment_changes": "; ".join(changed)} if changed else {}
    tracked = not options.no_tracking
    if comparison.launcher.kind == "slurm":
        cluster.submit(experiment, comparison, places, display, tracked, tags)
        return
    run_comparison(experiment, comparison, places, display, tracked=tracked, tags=tags, team=team)
    if options.validate_checkpoints:
        resuming.validate(experiment, comparison, places, display)


def _about_hooks(name: str, wanted: list[str] | None) -> str:
    """The list of hooks, or a description of some."""
    from versus.core.experiment import find
    from versus.core.hooks import about

    experiment = find(name)
    if wanted is None:
        return about.overview(experiment)
    return "\n\n".join(about.described(experiment, wanted))


def run_comparison(
    experiment: "Experiment",
    comparison: "BaseComparison",
    places: "Places",
    display: Display,
    tracked: bool,
    tags: Mapping[str, str] = MappingProxyType({}),
    team: "Team | None" = None,
) -> None:
    """Data, training, verdict and tracking.

    ``tags`` are recorded on the runs; ``team`` helps to train, and is dismissed afterwards.
    """
    from versus.core import delivery, distributed, pipeline, stages
    from versus.core.paths import shown

    with distributed.lead(team):
        stages.prepare(experiment, comparison, places.data)
        send = delivery.sender(experiment, comparison, places, display) if tracked else None
        pipeline.train(experiment, comparison, places, display, send, tags)
    pipeline.conclude(experiment, comparison, places, display)
    with stages.locked(places.results):
        experiment.closeups(comparison, places, {})
    if send is not None:
        send()
    display.note(f"results: {shown(places.results)}")
    for link in delivery.links(places) if tracked else []:
        display.note(link)


def search(words: list[str]) -> None:
    """Work on a study."""
    name, words = experiment_first("search", words)
    about = (
        "Look for better settings: trials of search.space, measured on the tuning seeds by one "
        "score, or by two objectives whose Pareto front is sought (search.objectives). The same "
        "command continues a study, here or beside other workers; the best settings become an "
        "overlay for versus train."
    )
    trials = Option("trials", "finished trials of the whole study", positive, default=50)
    study_name = Option("study", "name of the study (default: from its params, data and code)")
    storage = Option("storage", "SQLAlchemy address for Optuna (default: optuna.db of the project)")
    about_workers = "processes on this machine, or tasks where launcher.kind says"
    workers = Option("workers", about_workers, positive, default=1)
    own = (trials, study_name, storage, workers, UNTRACKED)
    options, rest = parse("search", about, words, CONFIG, PROFILE, OVERLAY, *own, experiment=name)

    from versus.core.launching import slurm
    from versus.core.search import runner

    experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
    display = Display(options.quiet)
    study = runner.open_study(experiment, comparison, options.study, display)
    if comparison.launcher.kind == "slurm":
        commands = runner.helper_words([name, *words], 1, study.name)
        display.line(slurm.submit_search(comparison, study.folder, commands[0], options.workers))
        return
    here = comparison.launcher.kind == "local"
    runner.run(
        study,
        trials=options.trials,
        storage=options.storage or runner.default_storage(),
        helpers=runner.helper_words([name, *words], options.workers - here, study.name),
        tracked=not options.no_tracking,
    )


def compare(words: list[str]) -> None:
    """Verdict and plots again."""
    name, words = experiment_first("compare", words)
    about = "Verdict and plots again, from the tables on disk."
    options, rest = parse("compare", about, words, CONFIG, PROFILE, OVERLAY, OUT, experiment=name)

    from versus.core import pipeline

    experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
    places = _finished(experiment, comparison, options, rest)
    pipeline.conclude(experiment, comparison, places, Display(options.quiet))


def _finished(
    experiment: "Experiment", comparison: "BaseComparison", options: Namespace, rest: Sequence[str]
) -> "Places":
    """Where a comparison lies: what ``versus train`` wrote or, of a profile, what DVC built."""
    from versus.core.stages import adhoc_places, pipeline_places

    profile = options.profile or "base"
    places = adhoc_places(experiment, comparison, profile, out=options.out)
    built = pipeline_places(comparison, profile)
    plain = not (rest or options.config or options.overlay or options.out)
    if plain and _is_there(built) and not _is_there(places):
        return built
    return places


def _is_there(places: "Places") -> bool:
    return (places.results / "metrics.csv").is_file()


def stage(words: list[str]) -> None:
    """One stage of the pipeline."""
    name, words = experiment_first("stage", words)
    stage = words.pop(0) if words and not words[0].startswith("-") else ""
    about = (
        "One stage of the pipeline (data, train, compare, evaluate), with outputs under "
        "results/<profile>/<experiment>: what dvc.yaml calls. Or a data stage by its name."
    )
    options, rest = parse("stage", about, words, CONFIG, PROFILE, experiment=name)

    from versus.core import config as configs
    from versus.core import delivery, evaluation, pipeline, stages
    from versus.core.paths import shown

    display = Display(options.quiet)
    profile = options.profile or "default"
    experiment, comparison = load(name, options.config, profile, rest)
    places = stages.pipeline_places(comparison, profile)
    send = delivery.sender(experiment, comparison, places, display)
    match stage:
        case "data":
            display.note(f"data {stages.prepare(experiment, comparison, places.data, stages.DATA)}")
        case "train":
            pipeline.train(experiment, comparison, places, display, send)
        case "compare":
            pipeline.conclude(experiment, comparison, places, display)
            send()
        case "evaluate":
            evaluation.evaluate_results(experiment, places, display)
        case _ if stage in experiment.stages():
            digest = stages.prepare(experiment, comparison, places.data, stage)
            display.note(
                f"{stage} {digest} in {shown(stages.place_of(experiment, places.data, stage))}"
            )
            for key, value in configs.leaves(stages.facts(experiment, places.data, stage)):
                display.note(f"{key} {value}")
        case _:
            own = [name for name in experiment.stages() if name != "data"]
            known = ", ".join([*own, "data, train, compare or evaluate"])
            raise ConfigError(f"versus stage: no stage {stage!r}; choose {known}")


def plots(words: list[str]) -> None:
    """Pictures of a comparison or of a table."""
    name, words = experiment_first("plots", words)
    about = "Pictures of a finished comparison, or of a table with the experiment's columns."
    table = Option("csv", "draw this table instead", Path)
    out = Option("out", "where the pictures go, or the results folder", Path)
    from versus.core.experiment import find

    further = find(name).PLOT_OPTIONS if name else ()
    own = (CONFIG, PROFILE, OVERLAY, table, out, *further)
    options, rest = parse("plots", about, words, *own, experiment=name)

    from versus.core.paths import shown
    from versus.core.stages import locked

    if options.csv is not None:
        no_more("plots", rest)
        out_folder = options.out or options.csv.parent / "plots"
        pictures = find(name).plots_of_csv(options.csv, out_folder)
    else:
        experiment, comparison = load(name, options.config, options.profile, rest, options.overlay)
        places = _finished(experiment, comparison, options, rest)
        with locked(places.results):
            asked = {option.flag: getattr(options, option.flag) for option in further}
            # First, so that what cannot be shown is refused before anything is drawn.
            closeups = experiment.closeups(comparison, places, asked)
            pictures = [*experiment.plots(comparison, places.results), *closeups]
    for picture in pictures:
        Display(options.quiet).line(shown(picture))
