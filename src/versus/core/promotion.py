"""A challenger becomes champion if it is better on the same items, and not otherwise.

The statistics are in :mod:`versus.core.evidence`, alias and history in
:mod:`versus.core.champions`. Models are measured before the title is locked; a champion that has
changed meanwhile is measured again.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

import versus
from versus.core import evidence, fetching, pipeline
from versus.core.champions import LONGEST_REASON, Event, describe, held
from versus.core.display import Display
from versus.core.errors import (
    ConfigError,
    DataError,
    RegistryError,
    VerificationError,
    VersusError,
)
from versus.core.evaluation import evaluate_anywhere
from versus.core.experiment import Experiment, ModelPart, Promotion, Suite
from versus.core.fetching import URI, FetchedModel
from versus.core.models import read_model
from versus.core.paths import project_root
from versus.core.registry import CANDIDATE, CONTENTS, ENVIRONMENT, environment

TRIES = 5
REFUSALS = (ConfigError, DataError, RegistryError, VerificationError)


@dataclass(frozen=True)
class Measured:
    """A registered model, what it did on every item, and the run that says so."""

    model: FetchedModel
    part: ModelPart
    items: pd.DataFrame
    reproduced: int
    run: str


@dataclass(frozen=True)
class Gate:
    """What it takes to become champion.

    Attributes:
        experiment: whose models they are.
        suite: what they are measured by.
        promotion: metric and direction.
        forced: the reason for promoting without evidence; empty if evidence decides.
    """

    experiment: Experiment
    suite: Suite
    promotion: Promotion
    forced: str = ""


def gate(experiment: Experiment, suite: Suite, forced: str = "") -> Gate:
    """The gate that a suite describes.

    Raises:
        ConfigError: if it describes none.
    """
    if suite.promotion is None:
        raise ConfigError(
            f"promotion (evaluation/{suite.experiment}.yaml): missing; give "
            "`promotion: {metric: score, direction: minimize}`, or maximize"
        )
    return Gate(experiment, suite, suite.promotion, forced)


def checked_reason(reason: str | None, *, force: bool, rollback: bool) -> str:
    """The reason on one line.

    Raises:
        ConfigError: if one is missing, too long, or without the option that it belongs to.
    """
    text = " ".join((reason or "").split())
    if force and rollback:
        raise ConfigError("--force and --rollback: give one of them")
    if force and not text:
        raise ConfigError("--force: needs --reason TEXT, which is recorded")
    if reason is not None and not (force or rollback):
        raise ConfigError("--reason: goes with --force or --rollback")
    if len(text) > LONGEST_REASON:
        raise ConfigError(f"--reason: {len(text)} characters, at most {LONGEST_REASON}")
    return text


# --- all models of a suite ------------------------------------------------------------------------


def for_each(suite: Suite, wanted: Sequence[str], decide: Callable[[str], bool]) -> None:
    """Decide about every model, and say at the end what went wrong.

    Args:
        suite: names the models where none are wanted.
        wanted: registered names, or URIs.
        decide: gets a URI and returns whether what was asked for is so now.

    Raises:
        VerificationError: if the evidence did not suffice for some.
        VersusError: if some could not be judged.
    """
    refused, errors = [], list[VersusError]()
    words = " ".join(wanted).split()  # `mlflow run -P model="a b"` passes one string
    for uri in map(_uri, words or [name_of(model) for model in suite.models]):
        try:
            if not decide(uri):
                refused.append(name_of(uri))
        except REFUSALS as error:
            errors.append(error)
    if errors:
        worst = max(errors, key=lambda error: error.exit_code)
        raise type(worst)("\n".join(map(str, errors)))
    if refused:
        raise VerificationError(
            f"not promoted: {', '.join(refused)}; --force --reason TEXT would do it all the same"
        )


def _uri(wanted: str) -> str:
    return wanted if wanted.startswith("models:") else f"models:/{wanted}@{CANDIDATE}"


def name_of(uri: str) -> str:
    """The registered name in a model URI.

    Raises:
        RegistryError: if it is none.
    """
    match = URI.fullmatch(uri)
    if match is None:
        raise RegistryError(f"{uri!r}: not a model; write NAME or models:/NAME/VERSION")
    return match["name"]


# --- one model ------------------------------------------------------------------------------------


def promote(gate: Gate, uri: str, display: Display) -> bool:
    """Let a challenger try for the title; return whether it, or its equal, is champion now.

    Raises:
        DataError: if challenger and champion cannot be compared.
        RegistryError: if there is no such model.
        VerificationError: if a model does not reproduce its own metrics.
        TrackingError: if the store cannot be used.
    """
    root = project_root()
    challenger = fetching.fetch(uri, root)
    for _ in range(TRIES):
        champion = _champion(challenger.name, root)
        if champion is not None and (same := _sameness(challenger, champion)):
            display.line(f"{challenger.name}: {same}; nothing moves")
            return True
        event, error = _judge(gate, challenger, champion)
        with held(challenger.name, root) as title:
            if title.champion != (champion.version if champion else None):
                continue  # somebody else has promoted meanwhile
            event = title.record(event, moves=event["decision"] != "refused")
        display.line(describe(challenger.name, event))
        if error is not None:
            raise error
        return bool(event["decision"] != "refused")
    raise RegistryError(
        f"{challenger.name}: the champion changed {TRIES} times while this was measured; try again"
    )


def _champion(name: str, root: Path) -> FetchedModel | None:
    with held(name, root) as title:
        version = title.champion
    return fetching.fetch(f"models:/{name}/{version}", root) if version else None


def _sameness(challenger: FetchedModel, champion: FetchedModel) -> str:
    if challenger.version == champion.version:
        return f"version {champion.version} is champion already"
    contents = challenger.tags.get(CONTENTS)
    if contents is not None and contents == champion.tags.get(CONTENTS):
        return f"version {challenger.version} has the contents of champion {champion.version}"
    return ""


def _judge(
    gate: Gate, challenger: FetchedModel, champion: FetchedModel | None
) -> tuple[Event, VersusError | None]:
    """What is to be recorded, and the error that kept the two from being compared."""
    event: Event = {
        "version": challenger.version,
        "decision": "refused",
        "reason": "",
        "forced": gate.forced,
        "versus_version": versus.__version__,
        "environment": environment(),
        "data_digest": challenger.tags.get("data_digest", ""),
    }
    try:
        remark = _admit(gate, challenger)
        ours = _measure(gate, challenger)
        event |= {"reproduced": ours.reproduced, "evaluation_runs": [ours.run]}
        if champion is None:
            return event | {"decision": "first champion", "reason": _joined(gate, remark)}, None
        event |= _compared(gate, ours, champion, remark)
    except REFUSALS as error:
        return event | {"reason": _one_line(error)}, error
    return event, None


def _compared(gate: Gate, ours: Measured, champion: FetchedModel, remark: str) -> Event:
    """Decision and evidence. A forced challenger also wins where nothing can be compared."""
    try:
        remark = " ".join(filter(None, (remark, _admit(gate, champion))))
        _check_digests(ours.model, champion)
        theirs = _measure(gate, champion)
        items, seeds = _statistics(gate, ours, theirs)
    except REFUSALS as error:
        if not gate.forced:
            raise
        return {"decision": "forced", "reason": _joined(gate, remark, _one_line(error))}
    against = evidence.objection(items, seeds)
    decision = "promoted" if not against else "forced" if gate.forced else "refused"
    return {
        "decision": decision,
        "reason": _joined(gate, remark, against),
        "metric": gate.promotion.metric,
        "items": asdict(items),
        "seeds": asdict(seeds) if seeds else None,
        "evaluation_runs": [ours.run, theirs.run],
    }


def _one_line(error: VersusError) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON]


def _joined(gate: Gate, *remarks: str) -> str:
    return "; ".join(filter(None, (gate.forced, *remarks)))[: 2 * LONGEST_REASON]


def _admit(gate: Gate, model: FetchedModel) -> str:
    """Let a model in whose data and environment are known; return how its environment differs.

    Raises:
        DataError: if they are not, or if the environment differs and nothing is forced.
    """
    label, again = f"{model.name} version {model.version}", f"versus train {gate.suite.experiment}"
    if "data_digest" not in model.tags:
        raise DataError(f"{label}: has no tag data_digest; register it again with `{again}`")
    if ENVIRONMENT not in model.tags:
        difference, remedy = "its environment is unknown", f"register it again with `{again}`"
    elif (theirs := model.tags[ENVIRONMENT]) != environment():
        difference = f"was made with {theirs}, and here is {environment()}"
        remedy = f"install those versions, or train it again with `{again}`"
    else:
        return ""
    if not gate.forced:
        raise DataError(f"{label}: {difference}; {remedy}")
    return f"{label}: {difference}"


def _check_digests(challenger: FetchedModel, champion: FetchedModel) -> None:
    ours, theirs = (model.tags["data_digest"] for model in (challenger, champion))
    if ours != theirs:
        raise DataError(
            f"{challenger.name}: version {challenger.version} was made for data {ours}, champion "
            f"{champion.version} for {theirs}; only models of the same data can be compared: "
            "train one of them on the other's"
        )


def _measure(gate: Gate, model: FetchedModel) -> Measured:
    part = read_model(model.folder)
    recorded, tagged = part.config["data_digest"], model.tags["data_digest"]
    if part.config["experiment"] != gate.suite.experiment:
        raise DataError(
            f"{model.name}: is a model of {part.config['experiment']}, not of "
            f"{gate.suite.experiment}; name its own experiment"
        )
    if recorded != tagged:
        raise DataError(
            f"{model.name} version {model.version}: its tag data_digest says {tagged}, its "
            f"config.json {recorded}; correct the tag"
        )
    items, summary = evaluate_anywhere(gate.experiment, part, gate.suite)
    run = fetching.log_evaluation(
        model,
        summary["metrics"],
        dataset=(part.config["experiment"], recorded),
        root=project_root(),
        tags={"purpose": "promotion"},
    )
    return Measured(model, part, items, summary["reproduced"], run)


def _statistics(
    gate: Gate, ours: Measured, theirs: Measured
) -> tuple[evidence.Paired, evidence.Paired | None]:
    digest = ours.model.tags["data_digest"]
    names = [f"{digest} {side.model.name} {side.model.version}" for side in (ours, theirs)]
    comparison = gate.experiment.Comparison.model_validate(ours.part.config["comparison"])
    items = evidence.of_items(
        ours.items, theirs.items, gate.promotion.metric, gate.promotion.direction, names
    )
    seeds = evidence.of_seeds(
        ours.part.config["final_metrics"],
        theirs.part.config["final_metrics"],
        pipeline.primary_metrics(gate.experiment, comparison),
        comparison.compare.direction,
        names,
    )
    return items, seeds
