"""Groups of hooks that work for every experiment that trains weights by gradient."""

from collections.abc import Mapping, Sequence

MINIMAL = ("training_metrics",)
OBSERVERS = (
    *MINIMAL,
    "training_diagnostics",
    "parameter_delta",
    "path_length",
    "norms",
    "consecutive",
    "variance",
    "batch_dynamics",
    "weight_tracking",
    "gradient_projection",
    "subspace_gradient_info",
    "phases",
)
INTERVENTIONS = ("hessian", "counterfactual", "adam_dynamics")
"""What computes with passes of its own; like all of the library, it changes nothing."""

GENERIC_GROUPS: Mapping[str, Sequence[str]] = {
    "none": (),
    "minimal": MINIMAL,
    "observers": OBSERVERS,
    "interventions": INTERVENTIONS,
    "full": (*OBSERVERS, *INTERVENTIONS),
}
"""For ``HOOK_GROUPS``; a member whose needs a learner cannot meet is left out with a note."""
