"""Tasks on two vectors: each is one function of one coordinate of either.

A new task is one function with a decorator, here or in a module of yours that is imported before
the comparison is loaded::

    @vector_task
    def subtract(a, b):
        return a - b
"""

from collections.abc import Callable

from torch import Tensor

Operation = Callable[[Tensor, Tensor], Tensor]
OPERATIONS: dict[str, Operation] = {}
"""Name -> what maps two tensors (n, d) to one, coordinate by coordinate."""
LISTOPS = "listops"
"""The task that is not on vectors: expressions to be evaluated."""


def vector_task(operation: Operation) -> Operation:
    """Make a task of a function, under the function's name."""
    OPERATIONS[operation.__name__] = operation
    return operation


@vector_task
def add(a: Tensor, b: Tensor) -> Tensor:
    """Sum."""
    return a + b


@vector_task
def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Product."""
    return a * b


@vector_task
def subtract(a: Tensor, b: Tensor) -> Tensor:
    """Difference."""
    return a - b


def known_tasks() -> list[str]:
    """All names that ``data.tasks`` takes."""
    return [*OPERATIONS, LISTOPS]
