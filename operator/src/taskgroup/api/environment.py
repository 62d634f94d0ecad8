"""Environment variables of the worker container, as Kubernetes writes them."""

from typing import Annotated

from pydantic import ConfigDict, Field

from taskgroup.api.base import DataKey, Model, ObjectName, exactly_one, rules


class KeySelector(Model):
    """One key of a ConfigMap or Secret."""

    name: ObjectName = Field(description="Name of the ConfigMap or Secret.")
    key: DataKey = Field(description="Key inside it.")
    optional: bool | None = Field(None, description="The pod starts even when the key is missing.")


class FieldSelector(Model):
    """A field of the pod itself."""

    field_path: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^(metadata|spec|status)\.")] = Field(
        description="For example metadata.name."
    )


class EnvironmentSource(Model):
    """Where a variable's value comes from."""

    model_config = exactly_one("valueFrom", "configMapKeyRef", "secretKeyRef", "fieldRef")

    config_map_key_ref: KeySelector | None = Field(None, description="From a ConfigMap.")
    secret_key_ref: KeySelector | None = Field(None, description="From a Secret.")
    field_ref: FieldSelector | None = Field(None, description="From the pod.")


class EnvironmentVariable(Model):
    """One environment variable of the worker container."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.value) || !has(self.valueFrom)", "a variable has either value or valueFrom, not both")
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=253, pattern="^[^=]+$")] = Field(
        description="Name of the variable."
    )
    value: Annotated[str, Field(max_length=32_768)] | None = Field(None, description="Literal value.")
    value_from: EnvironmentSource | None = Field(None, description="Source of the value.")


class EnvironmentReference(Model):
    """A ConfigMap or Secret whose keys become variables."""

    name: ObjectName = Field(description="Name of the ConfigMap or Secret.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class EnvironmentFrom(Model):
    """All keys of one ConfigMap or Secret as variables."""

    model_config = exactly_one("an entry of envFrom", "configMapRef", "secretRef")

    prefix: Annotated[str, Field(max_length=253)] | None = Field(None, description="Put before each name.")
    config_map_ref: EnvironmentReference | None = Field(None, description="From a ConfigMap.")
    secret_ref: EnvironmentReference | None = Field(None, description="From a Secret.")
