"""Which model answers, and models that come from elsewhere."""

from collections.abc import Mapping
from pathlib import Path

from versus.core import defaults, fetching
from versus.core.display import Display
from versus.core.errors import ConfigError, DataError, RegistryError
from versus.core.evaluation import read_suite
from versus.core.experiment import Experiment, ModelPart, find
from versus.core.models import read_model
from versus.core.paths import project_root, shown
from versus.core.registry import CHAMPION, FILES, register
from versus.core.tracking import Store, initialise, reporting, tracking_uri
from versus.core.workfolder import fingerprint

CONTENTS = "versus.import"
"""Tag of a run that has imported a model: the fingerprint of its files."""


def chosen(experiment: str, path: Path | None, uri: str | None) -> ModelPart:
    """The model of a folder or of the registry; where neither is named, the champion.

    Raises:
        ConfigError: if both are named, the model is another experiment's, or the experiment
            predicts nothing from files.
        DataError: if the folder holds none, or several.
        RegistryError: if there is no such model.
    """
    if find(experiment).predict_files is defaults.predict_files:
        defaults.predict_files(ModelPart("", {}, {"experiment": experiment}), (), Path(), Display())
    if path is not None and uri is not None:
        raise ConfigError("--path and --model: give one of them; they name two models")
    folder = _folder(path) if path is not None else _fetched(experiment, uri)
    part = read_model(folder)
    if part.config["experiment"] != experiment:
        raise ConfigError(
            f"{part.name}: is a model of {part.config['experiment']}, not of {experiment}"
        )
    return part


def _folder(path: Path) -> Path:
    if (path / FILES["weights"]).is_file():
        return path
    models = sorted(folder.parent for folder in path.glob(f"models/*/{FILES['weights']}"))
    if len(models) == 1:
        return models[0]
    there = ", ".join(map(shown, models)) or "none"
    raise DataError(
        f"--path {shown(path)}: is no model folder ({' and '.join(FILES.values())}); name one, "
        f"such as results/.../models/VARIANT; models inside: {there}"
    )


def _fetched(experiment: str, uri: str | None) -> Path:
    root = project_root()
    if uri is not None:
        return fetching.fetch(uri, root=root).folder
    models = map(fetching.URI.fullmatch, read_suite(experiment).models)
    names = [match["name"] for match in models if match]
    if not names:
        raise ConfigError(f"versus predict {experiment}: name a model with --model or --path")
    try:
        return fetching.fetch(f"models:/{names[0]}@{CHAMPION}", root=root).folder
    except RegistryError as error:
        raise RegistryError(
            f"{error}; a champion comes from `versus train {experiment}` and `versus promote "
            f"{experiment}`, or name a model with --model or --path"
        ) from error


def register_import(
    experiment: Experiment, part: ModelPart, folder: Path, tags: Mapping[str, str]
) -> str:
    """Register a model that was not trained here, with a run that tells where it comes from.

    It becomes no candidate, since nothing was measured of it. Importing the same files again finds
    the version that is there.

    Args:
        experiment: whose model it is.
        part: the model.
        folder: holds its files.
        tags: of run and version.

    Returns:
        Its version.

    Raises:
        TrackingError: if the store cannot be used.
    """
    root = project_root()
    run = _import_run(part, fingerprint(folder / file for file in FILES.values()), tags)
    given = experiment.example(part)
    return register(
        part.name,
        folder,
        run_id=run,
        root=root,
        tags=tags,
        example=(given, experiment.predictor(part)(given)) if given else None,
        candidate=False,
        needs=experiment.REQUIREMENTS,
    )


def _import_run(part: ModelPart, contents: str, tags: Mapping[str, str]) -> str:
    """The run of an import; one for the same files."""
    uri = tracking_uri(project_root())
    initialise(uri)
    with reporting(uri):
        store = Store(uri, project_root())
        number = store.experiment(part.config["experiment"])
        known = store.tagged_runs(number, CONTENTS, contents)
        if known:
            return str(known[0].info.run_id)
        about = {"kind": "import", CONTENTS: contents, **tags}
        run = str(store.create_run(number, f"import {part.name}", about).info.run_id)
        store.set_status(run, "FINISHED")
    return run
