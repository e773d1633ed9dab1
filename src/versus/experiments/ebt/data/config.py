"""What the examples are: tasks, sizes and the ranges that inputs are drawn from."""

import difflib
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from versus.core.config import Section
from versus.experiments.ebt.data.listops.config import ListOpsConfig
from versus.experiments.ebt.data.tasks import LISTOPS, known_tasks


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str | int | float) else value


class DataConfig(Section):
    """The tasks and how their examples are drawn."""

    tasks: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ("add",)
    """What is learnt, each by models of its own: add, multiply, subtract (two vectors, coordinate
    by coordinate), listops (an expression's value)."""
    vec_size: int = Field(10, ge=1)
    """Length d of each of the two vectors. ListOps: expressions have at most 50 d tokens."""
    size_train: int = Field(10_000, ge=1)
    """Training examples."""
    size_val: int = Field(256, ge=1)
    """Validation examples, from the range of the training examples; they alone select."""
    size_test: int = Field(2048, ge=1)
    """Examples of every test set."""
    dist: Literal["uniform", "gaussian_legacy"] = "uniform"
    """uniform: inputs in [-1, 1], as the seed document says; gaussian_legacy: N(-1, 2^2), as its
    sample code draws them."""
    shifts: Annotated[tuple[float, ...], BeforeValidator(_as_tuple)] = (1, 1.5, 2, 2.5, 3, 4)
    """Test inputs are draws of the training distribution times r; r = 1 is in distribution, r = 2
    the seed document's test."""
    listops: ListOpsConfig = ListOpsConfig()

    @field_validator("tasks")
    @classmethod
    def _known(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        known = known_tasks()
        for task in tasks:
            if task not in known:
                near = difflib.get_close_matches(task, known, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise ValueError(f"{hint}choose of {', '.join(known)}; received {task!r}")
        if not tasks or len(set(tasks)) < len(tasks):
            raise ValueError(f"name at least one task, and each once; received {list(tasks)}")
        if LISTOPS in tasks and len(tasks) > 1:
            raise ValueError(
                f"listops has metrics of its own: compare it alone; received {list(tasks)}"
            )
        return tasks

    @model_validator(mode="after")
    def _shifted(self) -> Self:
        if not self.shifts or min(self.shifts) <= 0 or len(set(self.shifts)) < len(self.shifts):
            raise ValueError(f"shifts: needs distinct factors > 0, received {list(self.shifts)}")
        if LISTOPS in self.tasks:
            self.listops.check(self.vec_size)
        return self
