"""When a group counts as a success, and how many failures it bears: the parts of a spec that decide its outcome."""

from typing import Annotated

from pydantic import Field

from taskgroup.api.base import Model, exactly_one


class SuccessPolicy(Model):
    """How many items have to succeed."""

    model_config = exactly_one("successPolicy", "succeededCount", "succeededPercent")

    succeeded_count: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="So many; not more than there are items."
    )
    succeeded_percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="So many in a hundred, rounded up."
    )
