"""The update rules of the memory experiment: names, hyperparameters and their meaning.

A memory ``M`` (rows x dim) reads a key ``k_t`` before it is written: the prediction is
``M_{t-1} k_t``. A *pair* is ``(k_t, v_t)``; the *window* holds the last ``c`` pairs, the current
one included. :mod:`.naive` states each rule as a loop, :mod:`.fast` computes the same numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from types import MappingProxyType

from versus.core.errors import ConfigError


@dataclass(frozen=True)
class RuleInfo:
    """What a user needs to know about one rule.

    Attributes:
        name: Canonical spelling.
        summary: One sentence with the update equation.
        reg: What the hyperparameter ``reg`` means in this rule.
        ignores: Hyperparameters without any influence on this rule.
    """

    name: str
    summary: str
    reg: str
    ignores: tuple[str, ...] = ()


_ALL_RULES = (
    RuleInfo(
        "Delta",
        "One gradient step on the current pair: M - lr (M k_t - v_t) k_t^T (LMS, DeltaNet).",
        "weight decay: M is first multiplied by 1 - lr*reg",
        ("window", "gamma", "inner_steps"),
    ),
    RuleInfo(
        "Omega",
        "Gradient steps on all pairs of the window: M - lr sum_i gamma^(t-i) (M k_i - v_i) k_i^T"
        " (ATLAS, equation 9).",
        "weight decay: M is first multiplied by 1 - lr*reg",
    ),
    RuleInfo(
        "OmegaRidge",
        "Ridge regression solved anew on the window: B (G + reg I)^-1; nothing older is kept.",
        "ridge: reg |M|^2 is added to the squared error; 0 gives the minimum-norm solution",
        ("lr", "gamma", "inner_steps"),
    ),
    RuleInfo(
        "RLS",
        "The optimum of OmegaRidge by recursive least squares (Sherman-Morrison up-, downdates).",
        "ridge: reg |M|^2 is added to the squared error; must be positive",
        ("lr", "gamma", "inner_steps"),
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
        lr: Step size, > 0 for the rules that take gradient steps.
        reg: Decay (Delta, Omega) or ridge (OmegaRidge, RLS), >= 0; see :data:`RULES`.
        gamma: Pair ``i`` of the window has weight ``gamma**(t-i)``; in (0, 1].
        inner_steps: Gradient steps per token, >= 1.
        clip: Largest Frobenius norm of one update ``M_t - M_{t-1}``, over all rows; 0 is off.

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
    ]
    if settings.updater == "RLS":
        remedy = "finite and > 0 (OmegaRidge takes 0)"
        checks.append(("reg", _is_positive(settings.reg), remedy))
    else:
        checks.append(("reg", 0 <= settings.reg < math.inf, "finite and >= 0"))
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


def canonical(settings: RuleSettings) -> RuleSettings:
    """Give the hyperparameters that the rule ignores their default value.

    Runs on one stream with equal canonical settings have equal results.
    """
    ignored = RULES[settings.updater].ignores
    return replace(settings, **{name: _DEFAULTS[name] for name in ignored})
