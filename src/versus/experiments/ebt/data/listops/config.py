"""Which ListOps expressions are drawn."""

from typing import Self

from pydantic import Field, model_validator

from versus.core.config import Section

Range = tuple[int, int]
TOKENS_PER_COORDINATE = 50
"""The seed document's ``max_seq_len`` is so many times ``vec_size``."""


class ListOpsConfig(Section):
    """Expressions: their lengths, depths and numbers of arguments.

    Lengths count the tokens of the binary format, parentheses included. Each of the three shifted
    test sets leaves the training range on one axis and keeps to it on the other two.
    """

    lengths: Range = (17, 60)
    """Fewest and most tokens in training, validation and test_iid. From 17 on, an operator of up to
    4 arguments has another below it."""
    depth: int = Field(3, ge=1)
    """Most operators nested in each other, in training."""
    args: int = Field(4, ge=2)
    """Most arguments of an operator in training; the fewest are 2."""
    longer: Range = (61, 100)
    """test_longer: fewest and most tokens, above ``lengths``."""
    deeper: Range = (4, 5)
    """test_deeper: fewest and most nested operators, above ``depth``."""
    wider: Range = (5, 8)
    """test_wider: fewest and most arguments of the operator that has most, above ``args``."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        inside = {"longer": self.lengths[1], "deeper": self.depth, "wider": self.args}
        for name, last in {"lengths": 0, **inside}.items():
            low, high = getattr(self, name)
            if not last < low <= high:
                raise ValueError(
                    f"{name}: needs two numbers in ascending order, the first above {last}, "
                    f"received {low}, {high}"
                )
        return self

    def check(self, vec_size: int) -> None:
        """Refuse expressions that are too long.

        Raises:
            ValueError: if a range exceeds 50 * vec_size tokens.
        """
        most = TOKENS_PER_COORDINATE * vec_size
        for name in ("lengths", "longer"):
            if getattr(self, name)[1] > most:
                raise ValueError(
                    f"data.listops.{name}: vec_size = {vec_size} allows at most {most} tokens, "
                    f"received {getattr(self, name)[1]}"
                )
