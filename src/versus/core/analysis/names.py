"""Names of metrics, variants and tools as a user writes them -> the names that are there."""

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence

from versus.core.errors import ConfigError

EQUIVALENT = (
    (
        "test/accuracy",
        "val/accuracy",
        "training_metrics/val_acc",
        "training_metrics/test_acc",
        "val_acc",
        "test_acc",
    ),
    ("training_metrics/validation_accuracy", "validation_accuracy"),
    ("training_metrics/training_accuracy", "training_accuracy"),
    (
        "train/accuracy",
        "training_metrics/train_acc",
        "train_acc",
    ),
    (
        "training_metrics/validation_loss",
        "training_metrics/val_loss",
        "training_metrics/test_loss",
        "test/loss",
        "val/loss",
        "validation_loss",
        "val_loss",
        "test_loss",
    ),
    (
        "training_metrics/loss",
        "training_metrics/train_loss",
        "train/loss",
        "training_loss",
        "train_loss",
        "loss",
    ),
    ("training_metrics/learning_rate", "training_metrics/lr", "train/learning_rate", "train/lr"),
)
"""Names of one quantity, in one unit, by preference: of the hook, of the seed document and of the
trainer. The accuracies of the hook are in percent and so stand by themselves."""
CLOSE = 0.5
Note = Callable[[str], None]


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which ``layer 2`` comes before ``layer 10``."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p]


def resolve(
    wanted: Iterable[str], known: Sequence[str], note: Note, key: str = "--metrics"
) -> list[str]:
    """The recorded metrics that ``wanted`` names, each once, in the order asked for.

    A word is the name itself, a pattern (``norms/*``), a group (``norms/``), another name of the
    same quantity (``training_metrics/val_acc``) or the last part of exactly one name.

    Args:
        wanted: words of the user.
        known: names of the recorded metrics.
        note: told where a word stands for another name.
        key: the option that the words are of.

    Raises:
        ConfigError: naming the nearest metrics, if a word names none or more than one quantity.
    """
    found = [name for word in wanted for name in _matches(word, known, note, key)]
    return list(dict.fromkeys(found))


def _matches(word: str, known: Sequence[str], note: Note, key: str) -> list[str]:
    if word in known:
        return [word]
    pattern = f"{word}*" if word.endswith("/") else word
    if any(sign in pattern for sign in "*?["):
        several = sorted(fnmatch.filter(known, pattern), key=natural)
        if several:
            return several
    other = _same_quantity(word, known) or _last_part(word, known, key)
    if other is None:
        raise unknown(key, word, known, "layer" if key == "--layers" else "metric")
    note(f"{word}: showing {other}")
    return [other]


def _same_quantity(word: str, known: Sequence[str]) -> str | None:
    names = next((group for group in EQUIVALENT if word in group), ())
    return next((name for name in names if name in known), None)


def _last_part(word: str, known: Sequence[str], key: str) -> str | None:
    ending = [name for name in known if name.rpartition("/")[2] == word]
    if len(ending) > 1:
        raise ConfigError(
            f"{key}: {word!r} may be {', '.join(ending[:6])}; write one of them in full"
        )
    return ending[0] if ending else None


def unknown(key: str, word: str, known: Sequence[str], kind: str) -> ConfigError:
    """The error for a name that is not there, with the nearest that are."""
    close = nearest(word, known)
    if close:
        return ConfigError(f"{key}: no {kind} {word!r}; the nearest: {', '.join(close)}")
    some = ", ".join(list(known)[:12]) or "none"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return ConfigError(f"{key}: no {kind} {word!r}; there are {some}{more}")


def nearest(word: str, known: Sequence[str], count: int = 5) -> list[str]:
    """Names most like ``word``: by the whole name, by its last part, or by another of its names."""
    whole = difflib.get_close_matches(word, known, n=count, cutoff=CLOSE)
    by_leaf: dict[str, list[str]] = {}
    for name in known:
        by_leaf.setdefault(name.rpartition("/")[2], []).append(name)
    for group in EQUIVALENT:
        for other in group:
            by_leaf.setdefault(other.rpartition("/")[2], []).extend(n for n in group if n in known)
    leaf = word.rpartition("/")[2]
    close = difflib.get_close_matches(leaf, by_leaf, n=count, cutoff=CLOSE)
    by_last_part = [name for near in close for name in by_leaf[near]]
    if "/" not in word:
        return list(dict.fromkeys(by_last_part + whole))[:count]
    return list(dict.fromkeys(whole + by_last_part))[:count]


def chosen(key: str, wanted: Sequence[str] | None, there: Sequence[str], kind: str) -> list[str]:
    """``wanted`` checked against what is ``there``; everything where nothing is wanted.

    Raises:
        ConfigError: naming the nearest, if one is not there.
    """
    for word in wanted or ():
        if word not in there:
            raise unknown(key, word, there, kind)
    return list(dict.fromkeys(wanted or there))


def family(prefix: str, known: Sequence[str]) -> dict[str, str]:
    """Part -> metric, of the metrics that measure one quantity for many parts, in natural order.

    ``norms/norm`` finds ``norms/norm_<part>`` and ``norms/norm/<part>``, and
    ``weight_tracking/weight_norm`` also ``weight_tracking/<part>/weight_norm``.

    Raises:
        ConfigError: naming the families that are there, if there is no such metric.
    """
    stem = prefix.rstrip("*_/")
    if not stem:
        known_ones = ", ".join(_families(known)) or "none recorded"
        raise ConfigError(f"--metric: name a metric with parts; there are {known_ones}")
    # The document of hooks says freq_powers, the metrics are freq_power_<k>.
    for candidate in (stem, stem.removesuffix("s")):
        parts = _parts(candidate, known)
        if parts:
            return {part: parts[part] for part in sorted(parts, key=natural)}
    families = _families(known)
    if not families:
        raise ConfigError(
            f"--metric: no metric {prefix!r} with parts (layers, frequencies) is recorded; switch "
            "on a hook that records them and train"
        )
    raise unknown("--metric", prefix, families, "metric with parts")


def _families(known: Sequence[str]) -> list[str]:
    return sorted({name for name in map(_stem, known) if name})


def _parts(stem: str, known: Sequence[str]) -> dict[str, str]:
    group, _, leaf = stem.rpartition("/")
    forms = [re.compile(rf"{re.escape(stem)}[_/](.+)")]
    if group:
        forms.append(re.compile(rf"{re.escape(group)}/(.+)/{re.escape(leaf)}"))
    return {match[1]: name for name in known for form in forms if (match := form.fullmatch(name))}


def _stem(name: str) -> str:
    """The family that a name looks like a member of; empty where it does not."""
    pieces = name.split("/")
    if len(pieces) > 2:
        return f"{pieces[0]}/{pieces[-1]}"
    match = re.fullmatch(r"(.+?)_([^/_]*[\d.].*)", name)
    return match[1] if match else ""
