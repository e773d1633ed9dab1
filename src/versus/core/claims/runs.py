"""The tracked runs that test claims: the newest finished comparison of a profile that can."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from versus.core import tracked, tracking
from versus.core.arguments import load
from versus.core.claims.config import COST, Claim
from versus.core.claims.judging import NO_RUNS, Finding, judged, tests
from versus.core.tables import read_table

ROW = ["variant", "seed"]


class Comparison(NamedTuple):
    """A finished comparison.

    Attributes:
        run: its id.
        address: its page.
        table: ``variant``, ``seed`` and metrics of every run; costs with ``cost/`` before them.
    """

    run: str
    address: str
    table: pd.DataFrame


def evaluate(claims: Mapping[str, Claim], root: Path) -> dict[str, Finding]:
    """Hold every claim against the newest comparison that has its metric and variants.

    Comparisons count only if they were run with the settings that the profile has now.

    Raises:
        TrackingError: if the store cannot be used.
        ConfigError: if a claim names an experiment or profile that is not there.
    """
    uri = tracking.tracking_uri(root)
    with tracking.reporting(uri):
        finished = Finished(tracking.Store(uri, root))
        return {name: _found(claim, finished) for name, claim in claims.items()}


def _found(claim: Claim, finished: "Finished") -> Finding:
    for one in finished.of(claim.experiment, claim.profile):
        if tests(claim, one.table):
            return judged(claim, one.table, one.run, one.address)
    return Finding(NO_RUNS)


class Finished:
    """Finished comparisons of a store; the tables of each are fetched once."""

    def __init__(self, store: tracking.Store) -> None:
        self._store = store
        self._ids: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self._known: dict[str, Comparison] = {}

    def of(self, experiment: str, profile: str) -> Iterator[Comparison]:
        """Those of an experiment with the settings of a profile, the newest first."""
        for place, run in self._runs(experiment, profile):
            if run not in self._known:
                self._known[run] = Comparison(run, self._address(place, run), self._table(run))
            yield self._known[run]

    def _runs(self, experiment: str, profile: str) -> list[tuple[str, str]]:
        """MLflow experiment and run of each."""
        key = experiment, profile
        if key not in self._ids:
            _, comparison = load(experiment, None, profile, [])
            found = self._store.client.get_experiment_by_name(experiment)
            runs = self._store.finished(found.experiment_id, comparison.digest()) if found else []
            self._ids[key] = [(run.info.experiment_id, run.info.run_id) for run in runs]
        return self._ids[key]

    def _address(self, place: str, run: str) -> str:
        return tracked.page(self._store.uri, place, run)

    def _table(self, run: str) -> pd.DataFrame:
        """Metrics and costs; empty where the comparison has none."""
        with tempfile.TemporaryDirectory() as folder:
            names = {file.path for file in self._store.client.list_artifacts(run)}
            tables = [
                read_table(Path(self._store.client.download_artifacts(run, name, folder)))
                for name in ("metrics.csv", "cost.csv")
                if name in names
            ]
        if len(tables) < 2:
            return tables[0] if tables else pd.DataFrame(columns=ROW)
        metrics, cost = tables
        named = cost.set_index(ROW).add_prefix(COST).reset_index()
        return metrics.merge(named, on=ROW, how="left")
