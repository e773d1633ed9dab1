"""The update rules of the memory experiment: names, hyperparameters and their meaning.

A memory ``M`` (rows x dim) reads a key ``k_t`` before it is written: the prediction is
``M_{t-1} k_t``. A *pair* is ``(k_t, v_t)``; the *window* holds the last ``c`` pairs, the current
one included. :mod:`.naive` states each rule as a loop, :mod:`.fast` computes the same numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from types import MappingProxyType
from typing import Literal, get_args

from versus.core.errors import ConfigError
from versus.experiments.memory.features import Features

Read = Literal["before", "after"]
StepNorm = Literal["none", "mean", "trace"]


@dataclass(frozen=True)
class RuleInfo:
    """What a user needs to know about one rule.

    Attributes:
        name: Canonical spelling.
        summary: One sentence with the update equation.
        reg: What the hyperparameter ``reg`` means in this rule.
        ignores: Hyperparameters without any influence on this rule.
        rows_interact: Whether a memory of fewer rows is something else than some of its rows.
        needs_ridge: Whether there is no solution at ``reg`` 0.
    """

    name: str
    summary: str
    reg: str
    ignores: tuple[str, ...] = ()
    rows_interact: bool = False
    needs_ridge: bool = False


_DECAY = "weight decay: M is first multiplied by 1 - lr*reg"
_IMPLICIT_DECAY = "weight decay: M is first multiplied by 1 / (1 + lr*reg)"
_RIDGE = "ridge: reg |M|^2 is added to the squared error"
_ONE_PAIR = ("window", "gamma", "inner_steps")
_NO_GRADIENT = ("inner_steps", "momentum", "step_norm")

_ALL_RULES = (
    RuleInfo(
        "Delta",
        "One gradient step on the current pair: M - lr (M k_t - v_t) k_t^T (LMS, DeltaNet).",
        _DECAY,
        (*_ONE_PAIR, "momentum"),
    ),
    RuleInfo(
        "GatedDelta",
        "Delta whose error is taken after the decay: a M - lr (a M k_t - v_t) k_t^T with"
        " a = 1 - lr*reg (Gated DeltaNet).",
        _DECAY,
        (*_ONE_PAIR, "momentum"),
    ),
    RuleInfo(
        "NLMS",
        "Delta with the step lr / (reg + |k_t|^2): normalised LMS, stable for lr < 2.",
        "ridge of the normaliser: added to |k_t|^2; M does not decay",
        (*_ONE_PAIR, "momentum", "step_norm"),
    ),
    RuleInfo(
        "Longhorn",
        "The implicit step on the current pair: the M that minimises"
        " |M - M_{t-1}|^2 + lr |M k_t - v_t|^2 + lr*reg |M|^2; stable for every lr.",
        _IMPLICIT_DECAY,
        (*_ONE_PAIR, "momentum", "step_norm"),
    ),
    RuleInfo(
        "Titans",
        "Delta with momentum: S = momentum S - lr (M k_t - v_t) k_t^T is added to the decayed M.",
        _DECAY,
        _ONE_PAIR,
    ),
    RuleInfo(
        "Omega",
        "Gradient steps on all pairs of the window: M - lr sum_i gamma^(t-i) (M k_i - v_i) k_i^T"
        " (ATLAS, equation 9).",
        _DECAY,
        ("momentum",),
    ),
    RuleInfo(
        "Atlas",
        "Momentum S of Omega's gradients, made nearly orthogonal by Newton-Schulz iterations"
        " (Muon): M - lr NS(S) (ATLAS, equations 32 and 33).",
        _DECAY,
        ("inner_steps", "step_norm"),
        rows_interact=True,
    ),
    RuleInfo(
        "ProxOmega",
        "The implicit step on the window: the M that minimises |M - M_{t-1}|^2"
        " + lr sum_i gamma^(t-i) |M k_i - v_i|^2 + lr*reg |M|^2; stable for every lr.",
        _IMPLICIT_DECAY,
        _NO_GRADIENT,
    ),
    RuleInfo(
        "OmegaRidge",
        "Ridge regression solved anew on the window: B (G + reg I)^-1; nothing older is kept.",
        f"{_RIDGE}; 0 gives the minimum-norm solution",
        ("lr", "gamma", *_NO_GRADIENT),
    ),
    RuleInfo(
        "RLS",
        "The optimum of OmegaRidge by recursive least squares (Sherman-Morrison up-, downdates).",
        f"{_RIDGE}; must be positive",
        ("lr", "gamma", *_NO_GRADIENT),
        needs_ridge=True,
    ),
    RuleInfo(
        "Mesa",
        "Ridge regression on all pairs so far, pair i with weight gamma^(t-i) (Mesa layer).",
        f"{_RIDGE}, at all times in full; must be positive",
        ("window", "lr", *_NO_GRADIENT),
        needs_ridge=True,
    ),
)
RULES: Mapping[str, RuleInfo] = MappingProxyType({rule.name: rule for rule in _ALL_RULES})


def find_rule(name: str) -> RuleInfo:
    """Look a rule up; case, ``-`` and ``_`` do not matter (``omega-ridge`` is OmegaRidge)."""
    wanted = name.replace("-", "").replace("_", "").lower()
    for rule in _ALL_RULES:
        if rule.name.lower() == wanted:
            return rule
    raise ConfigError(f"updater: unknown rule {name!r}; use one of {', '.join(RULES)}")


@dataclass(frozen=True)
class RuleSettings:
    """One rule with its hyperparameters; checked on construction.

    Attributes:
        updater: Name of the rule, in any spelling that :func:`find_rule` knows.
        window: Number of pairs ``c`` of the window, >= 1.
        lr: Step size, > 0 for the rules that have one.
        reg: Decay or ridge, >= 0; see :data:`RULES`.
        gamma: Pair ``i`` of the window has weight ``gamma**(t-i)``; in (0, 1].
        inner_steps: Gradient steps per token, >= 1.
        clip: Largest Frobenius norm of one update ``M_t - M_{t-1}``, over all rows; 0 is off.
        momentum: Share of the last step that the next one keeps, in [0, 1).
        features: Keys and queries are mapped by :func:`.features.expand` first.
        read: Prediction of token t: ``M_{t-1} k_t`` (before) or ``M_t k_t`` (after its write).
        step_norm: What ``lr`` is divided by at each token: nothing (none), the weight
            ``sum_i gamma**(t-i)`` of the window (mean) or ``sum_i gamma**(t-i) |k_i|^2`` (trace),
            which is at least the largest eigenvalue of the loss; the decay keeps the whole ``lr``.

    Raises:
        ConfigError: Values are out of range; all of them are listed.
    """

    updater: str
    window: int = 1
    lr: float = 0.0
    reg: float = 0.0
    gamma: float = 1.0
    inner_steps: int = 1
    clip: float = 0.0
    momentum: float = 0.0
    features: Features = "linear"
    read: Read = "before"
    step_norm: StepNorm = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "updater", find_rule(self.updater).name)
        mistakes = _mistakes(self)
        if mistakes:
            raise ConfigError(f"{self.updater}: " + "; ".join(mistakes))


def _mistakes(settings: RuleSettings) -> list[str]:
    uses_lr = "lr" not in RULES[settings.updater].ignores
    checks = [
        ("window", _is_count(settings.window), "an integer >= 1"),
        ("inner_steps", _is_count(settings.inner_steps), "an integer >= 1"),
        ("lr", _is_positive(settings.lr) or (not uses_lr and settings.lr == 0), "finite and > 0"),
        ("gamma", 0 < settings.gamma <= 1, "in (0, 1]"),
        ("clip", 0 <= settings.clip < math.inf, "finite and >= 0 (0 is off)"),
        ("momentum", 0 <= settings.momentum < 1, "in [0, 1)"),
    ]
    if RULES[settings.updater].needs_ridge:
        remedy = "finite and > 0 (OmegaRidge takes 0)"
        checks.append(("reg", _is_positive(settings.reg), remedy))
    else:
        checks.append(("reg", 0 <= settings.reg < math.inf, "finite and >= 0"))
    for key, kind in (("features", Features), ("read", Read), ("step_norm", StepNorm)):
        choices = get_args(kind)
        checks.append((key, getattr(settings, key) in choices, f"one of {', '.join(choices)}"))
    return [
        f"{key} must be {expected}, got {getattr(settings, key)!r}"
        for key, holds, expected in checks
        if not holds
    ]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_positive(value: float) -> bool:
    return 0 < value < math.inf


_DEFAULTS = {f.name: f.default for f in fields(RuleSettings) if f.default is not MISSING}
HYPERPARAMETERS = tuple(_DEFAULTS)


def canonical(settings: RuleSettings) -> RuleSettings:
    """Give the hyperparameters that the rule ignores their default value.

    Runs on one stream with equal canonical settings have equal results.
    """
    ignored = RULES[settings.updater].ignores
    return replace(settings, **{name: _DEFAULTS[name] for name in ignored})
