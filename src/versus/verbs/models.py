"""Verbs about registered models: evaluate, promote."""

from contextlib import suppress
from pathlib import Path

from versus.core.arguments import Option, experiment_first, no_more, overrides, parse
from versus.core.display import Display


def evaluate(words: list[str]) -> None:
    """Measure models, or what they do under other settings."""
    name, words = experiment_first("evaluate", words)
    about = (
        "Measure models on the data they were trained for; every metric must equal what "
        "training recorded. A suite's overrides, or --key value, measure them on other data."
    )
    model = Option("model", "models:/NAME@ALIAS or models:/NAME/VERSION (default: the suite's)")
    path = Option(
        "path", "a model folder, or a results folder with models/", Path, also="checkpoint"
    )
    suite = Option(
        "suite",
        "NAME of evaluation/<experiment>-NAME.yaml, or a file (default: <experiment>.yaml)",
        default="",
    )
    other = Option(
        "reattach", "allow parts that the model was not trained with; it is recorded", switch=True
    )
    options, rest = parse("evaluate", about, words, model, path, suite, other, experiment=name)

    from versus.core import evaluation
    from versus.core.experiment import find

    display, experiment = Display(options.quiet), find(name)
    measured = evaluation.read_suite(name, evaluation.suite_file(name, options.suite))
    changed = {**measured.overrides, **overrides(experiment, rest)}
    measured = measured.model_copy(update={"overrides": changed})
    attach = bool(options.reattach)
    if options.path is not None:
        evaluation.evaluate_folder(experiment, measured, options.path, display, attach)
        return
    for uri in [options.model] if options.model else measured.models:
        evaluation.evaluate_registered(experiment, measured, uri, display, attach)


def promote(words: list[str]) -> None:
    """Move champions on evidence."""
    name, words = experiment_first("promote", words)
    about = (
        "Measure candidates and champions on the same items; the alias champion moves only if the "
        "95 % interval of their difference favours the candidate and the verdict over seeds does "
        "not contradict."
    )
    model = Option("model", "NAMEs or models:/NAME/VERSION (default: the suite's)", many=True)
    force = Option("force", "move without evidence; needs --reason", switch=True)
    back = Option("rollback", "make the previous champion champion again", switch=True)
    history = Option("history", "print every decision so far, decide nothing", switch=True)
    reason = Option("reason", "why, with --force or --rollback; it is recorded")
    options, rest = parse(
        "promote", about, words, model, force, reason, back, history, experiment=name
    )
    no_more("promote", rest)

    from versus.core import champions, promotion
    from versus.core.errors import RegistryError
    from versus.core.evaluation import read_suite
    from versus.core.experiment import find

    display, suite = Display(options.quiet), read_suite(name)
    why = promotion.checked_reason(options.reason, force=options.force, rollback=options.rollback)
    gate = promotion.gate(find(name), suite, why)

    def decide(uri: str) -> bool:
        if options.history:
            champions.show_history(promotion.name_of(uri), display)
            return True
        if options.rollback:
            return champions.roll_back(promotion.name_of(uri), why, display)
        try:
            return promotion.promote(gate, uri, display)
        finally:
            with suppress(RegistryError):  # where there is no such model, that is said already
                champions.show_history(promotion.name_of(uri), display)

    promotion.for_each(suite, options.model or (), decide)


def export(words: list[str]) -> None:
    """Weights as a file for other programs."""
    name, words = experiment_first("export", words)
    about = (
        "Write a model's weights as one file: pt is a state dict for "
        "torch.load(weights_only=True), safetensors the same without pickle."
    )
    path = Option("path", "a model folder (results/.../models/VARIANT)", Path)
    model = Option("model", "models:/NAME@ALIAS or models:/NAME/VERSION")
    seed = Option("seed", "only this seed's weights, under the parameters' own names", int)
    form = Option("format", "pt or safetensors (default: pt)", default="pt")
    out = Option("out", "the file to write (default: MODEL.FORMAT in the working folder)", Path)
    options, rest = parse("export", about, words, path, model, seed, form, out, experiment=name)
    no_more("export", rest)

    from versus.core import exporting
    from versus.core.paths import shown

    part = exporting.chosen(name, options.path, options.model)
    file = options.out or Path(f"{part.name}.{options.format}")
    exporting.export(part, file, options.format, options.seed)
    Display(options.quiet).line(shown(file))
