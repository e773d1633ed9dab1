"""Verbs about files of the user's own: predict, import."""

from pathlib import Path

from versus.core.arguments import Option, experiment_first, no_more, overrides, parse
from versus.core.display import Display
from versus.core.errors import ConfigError

PREDICTIONS = Path("predictions")


def predict(words: list[str]) -> None:
    """What a model finds in the user's files."""
    name, words = experiment_first("predict", words)
    about = (
        "Write what a model finds in files of your own. A file that cannot be used is reported "
        "and the rest is done; the exit code is then 2. The same command replaces what it wrote."
    )
    files = Option("input", "files, or folders of them", Path, many=True, also="video")
    out = Option("out", f"folder for what is found (default: {PREDICTIONS})", Path)
    model = Option("model", "models:/NAME@ALIAS or models:/NAME/VERSION (default: the champion)")
    path = Option("path", "a model folder (results/.../models/VARIANT)", Path)
    options, rest = parse("predict", about, words, files, out, model, path, experiment=name)
    no_more("predict", rest)
    if not options.input:
        raise ConfigError(f"versus predict {name}: name files or a folder with --input")

    from versus.core import predicting
    from versus.core.experiment import find
    from versus.core.stages import locked

    experiment, display = find(name), Display(options.quiet)
    part, folder = predicting.chosen(name, options.path, options.model), options.out or PREDICTIONS
    with locked(folder):
        experiment.predict_files(part, options.input, folder, display)


def import_checkpoint(words: list[str]) -> None:
    """A checkpoint of the seed document as a model."""
    name, words = experiment_first("import", words)
    about = (
        "versus import EXPERIMENT FILE [options]: convert FILE, a checkpoint of the seed document, "
        "to a model folder (safetensors and JSON) and register it. Nothing in the file is run. "
        "--key value sets what the file does not tell, such as the extractor of its features."
    )
    out = Option("out", "the model folder (default: FILE-model beside FILE)", Path)
    untracked = Option("no-tracking", "write the folder alone, register nothing", switch=True)
    options, rest = parse("import", about, words, out, untracked, experiment=name)
    if not rest or rest[0].startswith("-"):
        raise ConfigError(f"versus import {name}: name the checkpoint: versus import {name} FILE")
    file = Path(rest[0])

    from versus.core import predicting
    from versus.core.experiment import find
    from versus.core.models import write_model
    from versus.core.paths import shown

    experiment, display = find(name), Display(options.quiet)
    part = experiment.import_model(file, overrides(experiment, rest[1:]))
    folder = options.out or file.with_name(f"{file.stem}-model")
    write_model(part, folder)
    display.line(f"{part.name}: {shown(folder)}")
    if not options.no_tracking:
        tags = {"source": file.name, "variant": str(part.config["variant"])}
        version = predicting.register_import(experiment, part, folder, tags)
        display.line(f"models:/{part.name}/{version}")
