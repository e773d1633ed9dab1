"""``orders.csv`` of each run: the SHA-256 of the order of every epoch that it trained."""

import hashlib
from collections.abc import Iterable

import pandas as pd

from versus.core.runfiles import folder_of
from versus.core.stages import Places
from versus.core.tables import write_table
from versus.experiments.ordering.config import Comparison
from versus.experiments.ordering.data import read_splits
from versus.experiments.ordering.orders import make_order


def write_orders(comparison: Comparison, curves: pd.DataFrame, places: Places) -> None:
    """Write the table of every run beside its other files.

    Args:
        comparison: with all its variants.
        curves: every evaluation: ``variant``, ``seed``, ``epoch``.
        places: of data and run files.
    """
    trained = curves.groupby(["variant", "seed"])["epoch"].max()
    for run in comparison.expand():
        split = read_splits(places.data, [run.key.seed])
        pairs, labels = split.train_pairs[0], split.train_labels[0]
        order = make_order(run.config.train, comparison.data.p, run.key.seed, pairs, labels)
        epochs = range(int(trained[run.key]))
        table = pd.DataFrame({"epoch": epochs, "sha256": [order.digest(e) for e in epochs]})
        write_table(table, folder_of(places, run.key) / "orders.csv")


def chained(digests: Iterable[str]) -> str:
    """One digest of the orders of all epochs, in their sequence: what a training's state keeps."""
    chain = ""
    for digest in digests:
        chain = link(chain, digest)
    return chain


def link(chain: str, digest: str) -> str:
    """The chain with one more epoch."""
    return hashlib.sha256((chain + digest).encode()).hexdigest()
