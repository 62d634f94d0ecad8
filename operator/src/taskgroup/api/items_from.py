"""Items that do not stand in the spec: where they are found."""

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model


class BeforeItems(Model):
    """The items are the result of spec.before, a list."""


class ItemsFrom(Model):
    """One place where the items are."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [place]} for place in ("before",)]})

    before: BeforeItems | None = Field(
        None, description="The list that spec.before returns: JSON values, one item each. Write before: {}."
    )
