"""How selections are drawn from scores, and what is learnt from them."""

from versus.experiments.dsn.policies.advantages import advantages
from versus.experiments.dsn.policies.config import PolicyConfig
from versus.experiments.dsn.policies.draws import uniforms
from versus.experiments.dsn.policies.policies import POLICIES, Draw, Policy
from versus.experiments.dsn.policies.spaced import spaced

__all__ = ["POLICIES", "Draw", "Policy", "PolicyConfig", "advantages", "spaced", "uniforms"]
