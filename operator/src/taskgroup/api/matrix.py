"""Items as combinations: one value from each axis, as in the matrix of a build."""

from typing import Annotated, Any

from pydantic import Field

from taskgroup.api.base import Model

MAX_AXES = 8
MAX_VALUES = 1_000
"""Most values of an axis, and most included items."""
MAX_EXCLUDED = 256

Part = Annotated[dict[str, Any], Field(min_length=1)]


class Matrix(Model):
    """Every combination of one value from each axis, without the excluded ones; behind them the included items.

    Each item is an object with a field for each axis: $(item.width) is its value of the axis width.
    """

    axes: Annotated[
        dict[str, Annotated[list[Any], Field(min_length=1, max_length=MAX_VALUES)]],
        Field(min_length=1, max_length=MAX_AXES),
    ] = Field(
        description=(
            "By the name of the axis its values, 1 to 1,000 of any type. Items are numbered with the axes in the order"
            " of their names: the last one varies fastest."
        )
    )
    exclude: Annotated[list[Part], Field(max_length=MAX_EXCLUDED)] | None = Field(
        None, description="Combinations to leave out: each entry is for all that have these values of these axes."
    )
    include: Annotated[list[Part], Field(max_length=MAX_VALUES)] | None = Field(
        None, description="Further items, as they are, behind the combinations; they need not have the axes' fields."
    )
