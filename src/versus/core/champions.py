"""Who is champion of a registered model, on what evidence, and who was before.

An event is a tag ``versus.history.NNNN`` of the registered model, a JSON object, one per decision.
One that moves the alias is written before the move, with ``"open": true``, and closed after it.
Whoever comes next completes an open one: after a kill at any moment the alias never stands without
its evidence, and nothing is told twice.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from versus.core import evidence
from versus.core.display import Display
from versus.core.errors import RegistryError, TrackingError
from versus.core.fetching import registered_versions
from versus.core.paths import project_root
from versus.core.registry import CHAMPION, opened
from versus.core.verdict import aligned, number

if TYPE_CHECKING:
    from mlflow import MlflowClient

EVIDENCE = "versus.promotion"
HISTORY = "versus.history."
ATTEMPTS = "versus.attempts."
ROLLBACK = "rollback"
LONGEST_REASON = 1000  # a tag of a registered model holds 5000 characters

Event = dict[str, Any]


class Title:
    """The title of one registered model. Use it within :func:`held`."""

    def __init__(self, client: "MlflowClient", name: str) -> None:
        self.versions = {str(version.version) for version in registered_versions(client, name)}
        model = client.get_registered_model(name)
        self._client = client
        self.name = name
        champion = model.aliases.get(CHAMPION)
        self.champion = None if champion is None else str(champion)
        keys = sorted(key for key in model.tags if key.startswith(HISTORY))
        self.history: list[Event] = [json.loads(model.tags[key]) for key in keys]
        self.completed: Event | None = None
        """The event that a killed command had left open."""
        if self.history and self.history[-1].get("open"):
            self.completed = self.history[-1]
            self._close()

    def record(self, event: Mapping[str, Any], *, moves: bool) -> Event:
        """Write the evidence on the version, then the event; then move the alias if it ``moves``.

        Returns:
            The event with its time, and with its attempt where it is a comparison.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        full = {**event, "time": now, "opponent": self.champion}
        if full.get("items"):
            full["attempt"] = self._count_attempt(full["data_digest"])
        if full["decision"] != ROLLBACK:  # what once made that version champion stays on it
            self._client.set_model_version_tag(self.name, full["version"], EVIDENCE, _text(full))
        self.history.append({**full, "open": True} if moves else full)
        self._write()
        if moves:
            self._close()
        return full

    def _count_attempt(self, digest: str) -> int:
        """Counted from the history, so that a kill cannot count twice; the tag is to be seen."""
        before = [e for e in self.history if e.get("items") and e["data_digest"] == digest]
        self._client.set_registered_model_tag(self.name, ATTEMPTS + digest, str(len(before) + 1))
        return len(before) + 1

    def _close(self) -> None:
        event = self.history[-1]
        if self.champion == event["opponent"]:  # else the alias has moved already
            self._client.set_registered_model_alias(self.name, CHAMPION, event["version"])
            self.champion = event["version"]
        del event["open"]
        self._write()

    def _write(self) -> None:
        key = f"{HISTORY}{len(self.history):04d}"
        self._client.set_registered_model_tag(self.name, key, _text(self.history[-1]))

    def previous(self) -> str:
        """The champion before the present one; rollbacks are walked back over.

        Raises:
            RegistryError: if there is none.
        """
        line: list[str | None] = [None]
        for event in self.history:
            if event["decision"] == "refused":
                continue
            _meet(line, event["opponent"])
            if event["decision"] == ROLLBACK:
                line.pop()
            _meet(line, event["version"])
        _meet(line, self.champion)
        before = line[-2] if len(line) > 1 else None
        if before is None or before not in self.versions:
            gone = f"version {before} is deleted" if before else "no champion came before"
            raise RegistryError(
                f"{self.name}: nothing to roll back to: champion is version {self.champion}, and "
                f"{gone}; choose one with --model models:/{self.name}/VERSION --force"
            )
        return before


def _meet(line: list[str | None], version: str | None) -> None:
    """Append a champion; an alias that was moved by hand shows up here as well."""
    if line[-1:] != [version]:
        line.append(version)


@contextmanager
def held(name: str, root: Path) -> Iterator[Title]:
    """The title of a registered model, locked against other processes of this machine.

    Raises:
        RegistryError: if there is no such model.
        TrackingError: if the store cannot be used, or another process holds the lock for a minute.
    """
    with opened(root) as store:
        local = store.uri.startswith("sqlite:///")
        file = Path(store.uri.removeprefix("sqlite:///")) if local else root / "mlflow.db"
        lock = FileLock(file.with_name(f"{file.name}.promotion.lock"), timeout=60)
        try:
            lock.acquire()
        except Timeout as error:
            raise TrackingError(
                f"{lock.lock_file}: another promotion has held it for a minute; try again later"
            ) from error
        try:
            yield Title(store.client, name)
        finally:
            lock.release()


def roll_back(name: str, reason: str, display: Display) -> bool:
    """Make the previous champion champion again.

    Raises:
        RegistryError: if there is none.
    """
    with held(name, project_root()) as title:
        event = title.completed
        if event is None or event["decision"] != ROLLBACK:  # else a kill had interrupted this one
            back = {"decision": ROLLBACK, "version": title.previous(), "reason": reason}
            event = title.record(back, moves=True)
    display.line(describe(name, event))
    show_history(name, display)
    return True


def _text(event: Mapping[str, Any]) -> str:
    return json.dumps(event, sort_keys=True, ensure_ascii=False)


# --- words ----------------------------------------------------------------------------------------


def describe(name: str, event: Event) -> str:
    """A decision, and what it rests on."""
    version, opponent = event["version"], event["opponent"]
    was = f" (it was {opponent})" if opponent else ""
    why = f": {event['reason']}" if event["reason"] else ""
    head = f"{event['decision']}: version {version} is champion{was}{why}"
    if event["decision"] == "refused":
        stays = f"version {opponent} stays champion" if opponent else "there is no champion"
        head = f"refused{why}; {stays}"
    return "\n  ".join([f"{name}: {head}", *_grounds(event)])


def _grounds(event: Event) -> Iterator[str]:
    if event.get("items"):
        yield from _comparison(event)
    if event.get("reproduced"):
        yield f"{event['reproduced']} metrics of version {event['version']} reproduced exactly"
    if runs := event.get("evaluation_runs"):
        yield f"evaluation run{'s' if len(runs) > 1 else ''} {', '.join(runs)}"


def _comparison(event: Event) -> Iterator[str]:
    items = evidence.Paired(**event["items"])
    better = "lower" if items.direction == "minimize" else "higher"
    amount = f"{items.pairs} items in {items.clusters} clusters"
    yield f"{event['metric']} ({better} is better): {items}, {amount}"
    if items.gained or items.lost:
        yield f"diverged on {items.lost} items, the champion on {items.gained} others"
    if items.clusters < evidence.FEW_CLUSTERS:
        yield f"{items.clusters} clusters are few: the interval is approximate"
    if event["seeds"] is not None:
        seeds = evidence.Paired(**event["seeds"])
        yield f"recipes over {seeds.pairs} seeds: {seeds}"
    yield evidence.luck(event["attempt"])


def show_history(name: str, display: Display) -> None:
    """Print every decision about a registered model.

    Raises:
        RegistryError: if there is no such model.
    """
    with held(name, project_root()) as title:
        history = title.history
    if not history:
        display.line(f"{name}: no history")
        return
    header = ("when (UTC)", "version", "against", "decision", "difference (95 % CI)", "reason")
    display.line(f"history of {name}\n{aligned([header, *map(_row, history)])}")


def _row(event: Event) -> tuple[str, ...]:
    return (
        event["time"].removesuffix("+00:00").replace("T", " "),
        event["version"],
        event["opponent"] or "",
        event["decision"],
        _interval(event.get("items")),
        event["reason"],
    )


def _interval(items: Mapping[str, Any] | None) -> str:
    if not items or items["difference"] is None:
        return ""
    scale = max(map(abs, items["interval"] or [items["difference"]]))
    if items["interval"] is None:
        return number(items["difference"], scale)
    low, high = (number(bound, scale) for bound in items["interval"])
    return f"{number(items['difference'], scale)} ({low} to {high})"
