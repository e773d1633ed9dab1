"""Folders of a comparison, data stages with their manifests, and locks.

A data folder carries ``manifest.json``: the sha256 of every file and the params sections that the
files were made from. The *data digest* used everywhere is the first 32 hexadecimal digits of the
manifest's own sha256. Data whose files do not match (torn) or whose sections differ from the
current params (stale) are refused.
"""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from versus.core import config as configs
from versus.core.errors import ConfigError, DataError
from versus.core.experiment import Experiment
from versus.core.paths import project_root, read_json, shown, sweep, write_json
from versus.core.runs import BaseComparison

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Places:
    """Where one comparison reads and writes.

    Attributes:
        data: what the data stages wrote.
        work: checkpoints, metric series, MLflow ids: state that outlives a killed stage.
        results: tables, models, verdict, plots.
        profile: recorded in the verdict.
        runs: files of single runs; times and host are in them, so DVC does not own them.
    """

    data: Path
    work: Path
    results: Path
    profile: str
    runs: Path


def pipeline_places(comparison: BaseComparison, profile: str) -> Places:
    """The folders that DVC stages use: outputs under ``results/<profile>/<experiment>``."""
    name = comparison.experiment
    results = project_root() / "results" / profile / name
    work = project_root() / "runs" / name / comparison.digest()
    return Places(results / "data", work, results, profile, work / "runs")


def adhoc_places(
    experiment: Experiment,
    comparison: BaseComparison,
    profile: str,
    *,
    out: Path | None = None,
    runs: Path | None = None,
) -> Places:
    """The folders of ``versus train``: everything under ``runs/<experiment>``, or ``out``."""
    base = (runs or project_root() / "runs") / comparison.experiment
    data = base / "data" / configs.digest(_sections(experiment, comparison))
    work = base / comparison.digest()
    results = out or work / "results"
    return Places(data, work, results, profile, results / "runs")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder/lock``; what a killed process was writing there is removed.

    Raises:
        ConfigError: if another process holds it.
        DataError: if the folder cannot be written.
    """
    lock = FileLock(folder / "lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"{shown(folder)}: another process is working in this folder; wait for it, or give "
            "this one a folder of its own with --out"
        ) from error
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        sweep(folder)
        yield
    finally:
        lock.release()


def _unusable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{shown(folder)}: not usable ({error.strerror}); choose another folder with --out"
    )


# --- data -----------------------------------------------------------------------------------------


def prepare(experiment: Experiment, comparison: BaseComparison, folder: Path) -> str:
    """Make sure that ``folder`` holds the comparison's data; return the data digest.

    Data already there are verified and kept; stages run into temporary folders that are renamed
    when complete, so an interrupted preparation leaves nothing that looks finished.

    Raises:
        DataError: if what is there is torn or made from other params, or the folder is unusable.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            if not (folder / MANIFEST).exists():
                _generate(experiment, comparison, folder)
            return verify(experiment, comparison, folder)
    except OSError as error:
        raise _unusable(folder.parent, error) from error


def _generate(experiment: Experiment, comparison: BaseComparison, folder: Path) -> None:
    for abandoned in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(abandoned)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        for stage in experiment.stages().values():
            stage.run(comparison, temporary)
        files = {str(p.relative_to(temporary)): _sha256(p) for p in sorted(_files(temporary))}
        source = _sections(experiment, comparison)
        write_json(temporary / MANIFEST, {"files": files, "source": source})
        shutil.rmtree(folder, ignore_errors=True)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def verify(experiment: Experiment, comparison: BaseComparison, folder: Path) -> str:
    """Check every file against the manifest and the manifest against the params.

    Returns:
        The data digest.

    Raises:
        DataError: if files are missing, torn or stale.
    """
    manifest = read_json(folder / MANIFEST)
    remedy = f"remove {shown(folder)} and prepare the data again"
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise DataError(f"{shown(path)}: missing, although its manifest lists it; {remedy}")
        if _sha256(path) != expected:
            raise DataError(
                f"{shown(path)}: torn or changed (sha256 differs from its manifest); {remedy}"
            )
    wanted = _sections(experiment, comparison)
    if manifest["source"] != wanted:
        stale = [s for s in wanted if manifest["source"].get(s) != wanted[s]]
        raise DataError(f"{shown(folder)}: made from other params ({', '.join(stale)}); {remedy}")
    return _sha256(folder / MANIFEST)[:32]


def data_digest(folder: Path) -> str:
    """The digest of prepared data, without verifying the files."""
    if not (folder / MANIFEST).is_file():
        raise DataError(f"{shown(folder)}: holds no data; run the data stage first")
    return _sha256(folder / MANIFEST)[:32]


def _sections(experiment: Experiment, comparison: BaseComparison) -> dict[str, Any]:
    names = {name for stage in experiment.stages().values() for name in stage.sections}
    dump: Mapping[str, Any] = comparison.model_dump(mode="json", include=names)
    return {name: dump[name] for name in sorted(names)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(experiment: str) -> str:
    """Identity of the code that trains ``experiment``: every source file that it may import."""
    package = Path(__file__).resolve().parents[1]
    folders = [package / "core", package / "grading", package / "experiments" / experiment]
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return configs.digest({str(f.relative_to(package)): _sha256(f) for f in files})
