"""What a process on another machine does for a comparison: prepare it, or train one stack."""

from versus.core import checkpoint, pipeline, stackfolder, stages
from versus.core.display import Display
from versus.core.errors import ConfigError, TrainingError
from versus.core.launching.jobs import Job
from versus.core.paths import read_json, shown
from versus.core.stacks import trainer_of


def prepare(job: Job, display: Display) -> None:
    """Make the data, drop the state of other code, and tune what is to be tuned.

    Raises:
        VersusError: see the errors of data, config and training.
    """
    experiment, comparison, places = job.experiment, job.comparison, job.places
    digest = stages.prepare(experiment, comparison, places.data)
    with stages.locked(places.work):
        pipeline.start(experiment, comparison, places, digest, job.tags)
        tune = places.work / "tune"
        job.settle(experiment.tune(comparison, places.data, tune, display))


def train_stack(job: Job, number: int, display: Display) -> None:
    """Train the stack of that number, from 0, or go on with it; nothing if it is finished.

    A stack whose runs have all diverged is left as it is: whoever collects the stacks judges.

    Raises:
        ConfigError: if there is no such stack, or code or data differ from those launched.
        VersusError: see the errors of data, checkpoints and training.
    """
    experiment, comparison = job.experiment, job.settled
    _check(job)
    stacks = experiment.stacks(comparison.expand())
    if number >= len(stacks):
        raise ConfigError(f"stack {number}: there are {len(stacks)}, numbered from 0")
    folder = stackfolder.path_of(job.places, number)
    with stackfolder.held(folder, display.note):
        if stackfolder.is_finished(folder):
            display.note(f"{shown(folder)}: trained already")
            return
        if step := checkpoint.newest_step(folder / "checkpoints"):
            display.note(f"{shown(folder)}: continues at step {step}")
        learner = experiment.build(stacks[number], job.places.data)
        trainer = trainer_of(experiment, stacks[number], learner, folder)
        try:
            trainer.run()
        except TrainingError as all_diverged:
            display.note(str(all_diverged))
        display.note(f"{shown(folder)}: at step {trainer.position.step}")


def _check(job: Job) -> None:
    digest = stages.verify(job.experiment, job.comparison, job.places.data)
    known = read_json(job.places.work / "identity.json")
    here = pipeline.identity_of(job.experiment, job.comparison, digest)
    if differing := [key for key in known if known[key] != here.get(key)]:
        raise ConfigError(
            f"{shown(job.places.work)}: was launched with other {' and '.join(differing)} than "
            "this machine has; install the same versus everywhere, and launch again"
        )
