"""Finds every bound in the generated schema, with values that it accepts and one that it refuses.

The bounds are read from the schema, so that a new one is tested as soon as it is generated. What cannot be derived,
such as a text that a pattern refuses, is in a table, and a missing entry fails the tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import yaml
from structural_schema import nodes

from support.crd.objects import ABSENT, SPECS, STATUS, Edits, Json, edited, task_group
from support.crd.server import CRD

Schema = dict[str, Any]

PADDED: Final = {
    "spec.itemsFrom.url": "http://",
    "spec.itemsFrom.s3.endpoint": "http://",
    "spec.workers.volumeMounts[].mountPath": "/",
    "spec.workers.initContainers[].volumeMounts[].mountPath": "/",
    "spec.workers.sidecars[].volumeMounts[].mountPath": "/",
    "spec.workers.env[].valueFrom.fieldRef.fieldPath": "spec.",
    "spec.rateLimit": "1",
}
"""What a long text must begin with to match the field's pattern."""
NUMBERS: Final = frozenset({"spec.retry.indexes", "spec.rateLimit"})
"""Texts of digits."""
ENDS: Final = {"spec.rateLimit": "/m"}
"""What a long text must end with."""
MISMATCHES: Final = {
    r"^\S+$": "two words",
    r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$": "shop/celery.py",
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "Upper",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "with.dot",
    r"^[-._a-zA-Z0-9]+$": "a/b",
    r"^([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$": "1 GB",
    r"^[^=]+$": "A=B",
    r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$": "two words",
    r"^(metadata|spec|status)\.": "name",
    r"^(\.?[^/.][^/]*|\.\.[^/]+|\.)(/(\.?[^/.][^/]*|\.\.[^/]+|\.)?)*$": "a/../../b",
    r"^/[^:]*$": "relative",
    r"^[1-9][0-9]*/[smh]$": "0/m",
    r"^https?://\S+$": "ftp://example/a.csv",
    r"^[0-9a-f]{64}$": "A" * 64,
    r"^(failed|[0-9][-,0-9]*)$": "3;4",
}
"""Per pattern a text that it refuses; the texts that it accepts are those of `objects`."""
MOUNTED: Final = {
    "spec.workers.volumeMounts[].name": 0,
    "spec.workers.initContainers[].volumeMounts[].name": 1,
    "spec.workers.sidecars[].volumeMounts[].name": 2,
}
"""Fields that must equal the name of a volume, and which one they name in the examples."""
_TEXT: Final = dict.fromkeys(("object", "array", "integer", "number", "boolean"), "text")
WRONG_TYPE: Final = {**_TEXT, "string": 5}
FORMATS: Final = {"date-time": "yesterday"}
BESIDE: Final[dict[str, Edits]] = {
    "spec.template.options.timeLimitSeconds": {"spec.template.options.softTimeLimitSeconds": ABSENT},
    "spec.template.options.softTimeLimitSeconds": {"spec.template.options.timeLimitSeconds": ABSENT},
    "spec.tasks[].options.timeLimitSeconds": {"spec.tasks.0.options.softTimeLimitSeconds": ABSENT},
    "spec.tasks[].options.softTimeLimitSeconds": {"spec.tasks.0.options.timeLimitSeconds": ABSENT},
    "spec.template.chain[].options.timeLimitSeconds": {
        "spec.template.chain.0.options.softTimeLimitSeconds": ABSENT,
    },
    "spec.template.chain[].options.softTimeLimitSeconds": {"spec.template.chain.0.options.timeLimitSeconds": ABSENT},
    "spec.template.group[].options.timeLimitSeconds": {"spec.template.group.0.options.softTimeLimitSeconds": ABSENT},
    "spec.template.group[].options.softTimeLimitSeconds": {"spec.template.group.0.options.timeLimitSeconds": ABSENT},
    "spec.before.options.timeLimitSeconds": {"spec.before.options.softTimeLimitSeconds": ABSENT},
    "spec.before.options.softTimeLimitSeconds": {"spec.before.options.timeLimitSeconds": ABSENT},
    "spec.callback.options.timeLimitSeconds": {"spec.callback.options.softTimeLimitSeconds": ABSENT},
    "spec.callback.options.softTimeLimitSeconds": {"spec.callback.options.timeLimitSeconds": ABSENT},
    "spec.workers.pool": {"spec.template.options": {}, "spec.workers.concurrency": 1},
    "spec.workers.volumes": {
        "spec.workers.volumeMounts": ABSENT,
        "spec.workers.initContainers": ABSENT,
        "spec.workers.sidecars": ABSENT,
    },
    "spec.workers.volumes[].name": {"spec.workers.volumeMounts": ABSENT},
    "spec.workers.resources.requests": {"spec.workers.resources.limits": ABSENT},
    "spec.workers.resources.limits": {"spec.workers.resources.requests": ABSENT},
    "spec.workers.resources.requests{}": {"spec.workers.resources.limits": ABSENT},
    "spec.workers.resources.limits{}": {"spec.workers.resources.requests": ABSENT},
}
"""Edits that avoid the refusal by another rule while this field is tested."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One check of the schema: accepted values, a refused one, and words of the refusal."""

    path: str
    place: str
    """Where an example has the path; see `example_place`."""
    keyword: str
    good: tuple[Json, ...]
    bad: Json
    words: str

    @property
    def is_status(self) -> bool:
        """Whether it is checked by a write of the status."""
        return self.path.startswith("status")

    def body(self, value: Json) -> dict[str, Json]:
        """An example with the value at the place, in which no other rule refuses anything."""
        variant, _, path = self.place.partition(":")
        group = task_group(SPECS[variant], BESIDE.get(self.path)) | {"status": STATUS}
        if self.path in MOUNTED:
            group = edited(group, {f"spec.workers.volumes.{MOUNTED[self.path]}.name": value})
        return edited(group, {path: value})


@cache
def schema() -> Schema:
    """The schema of a TaskGroup as committed."""
    crd = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    root: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def bounds() -> Iterator[Bound]:
    """Every bound of spec and status, in the schema's order."""
    for path, node in nodes(schema()):
        if not path.startswith(("spec", "status")):
            continue
        place = example_place(path)
        for check in _checks(path, node, value_at(example(place), place)):
            yield Bound(path, place, *check)


def example_place(path: str) -> str:
    """Where an example has this path: `spec.workers.env[].value` is `items:spec.workers.env.0.value`.

    The head is the name of the spec in `objects`. LookupError when no example has the field.
    """
    for variant in SPECS:
        for place in _places(
            task_group(SPECS[variant]) | {"status": STATUS}, path.replace("[]", ".[]").replace("{}", ".{}")
        ):
            return f"{variant}:{place}"
    raise LookupError(f"No example in tests/support/crd/objects.py has {path}: add it there.")


def _places(part: Json, path: str) -> Iterator[str]:
    """Concrete places of a path inside a value: an index for each list, a key for each map."""
    step, _, rest = path.partition(".")
    if step == "[]":
        keys: list[Any] = list(range(len(part))) if isinstance(part, list) else []
    elif step == "{}":
        keys = list(part)
    else:
        keys = [step] if isinstance(part, dict) and step in part else []
    for key in keys:
        if not rest:
            yield str(key)
        else:
            yield from (f"{key}.{below}" for below in _places(part[key], rest))


def example(place: str) -> dict[str, Json]:
    """The example that a place is in, status included."""
    return task_group(SPECS[place.partition(":")[0]]) | {"status": STATUS}


def value_at(whole: Json, place: str) -> Json:
    """The example's value at a place."""
    for step in place.partition(":")[2].split("."):
        whole = whole[int(step) if step.isdigit() else step]
    return whole


Check = tuple[str, tuple[Json, ...], Json, str]


def _checks(path: str, node: Schema, value: Json) -> Iterator[Check]:
    """(keyword, good values, bad value, words of the refusal) for each bound of one schema."""
    yield from _number_checks(node)
    yield from _text_checks(path, node, value)
    yield from _collection_checks(node, value)
    if kind := node.get("type"):
        shown_type = node["format"] if node.get("format") in FORMATS else kind
        yield "type", (value,), WRONG_TYPE[kind], f"must be of type {shown_type}"
    if node.get("x-kubernetes-int-or-string"):
        yield "int-or-string", (2, "2"), True, "must be of type integer,string"
    if "enum" in node:
        yield "enum", tuple(node["enum"]), "Other", 'Unsupported value: "Other"'
    if "properties" in node:
        yield "unknown field", (value,), {**value, "surprise": 1}, "surprise"
    for name in node.get("required", ()):
        rest = {key: part for key, part in value.items() if key != name}
        yield f"required {name}", (value,), rest, f"{name}: Required value"


def _number_checks(node: Schema) -> Iterator[Check]:
    if "minimum" in node:
        least = node["minimum"]
        yield "minimum", (least,), least - 1, f"should be greater than or equal to {least}"
    if "maximum" in node:
        most = node["maximum"]
        yield "maximum", (most,), most + 1, f"should be less than or equal to {most}"


def _text_checks(path: str, node: Schema, value: Json) -> Iterator[Check]:
    if "maxLength" in node:
        most, start = node["maxLength"], PADDED.get(path, "")
        fill = "0" if node.get("x-kubernetes-int-or-string") or path in NUMBERS else "a"
        end = ENDS.get(path, "")
        whole, longer = (start.ljust(length - len(end), fill) + end for length in (most, most + 1))
        yield "maxLength", (whole,), longer, f"may not be more than {most} "
    if "minLength" in node:
        yield "minLength", (PADDED.get(path, "") + "a",), "", f"at least {node['minLength']} chars long"
    if "pattern" in node:
        yield "pattern", (value,), MISMATCHES[node["pattern"]], "should match"
    if node.get("format") in FORMATS:
        yield "format", (value,), FORMATS[node["format"]], f"must be of type {node['format']}"


def _collection_checks(node: Schema, value: Json) -> Iterator[Check]:
    keys = node.get("x-kubernetes-list-map-keys", ())
    if "maxItems" in node:
        most = node["maxItems"]
        many = _copies(value[0], most + 1, keys)
        yield "maxItems", (many[:most],), many, f"must have at most {most} items"
    if "minItems" in node:
        yield "minItems", (value[:1],), [], f"should have at least {node['minItems']} items"
    if "maxProperties" in node:
        most, one = node["maxProperties"], next(iter(value.values()))
        many_fields = {f"key{number}": one for number in range(most + 1)}
        few = dict(list(many_fields.items())[:most])
        yield "maxProperties", (few,), many_fields, f"must have at most {most} "
    if "minProperties" in node:
        one = dict(list(value.items())[:1])
        yield "minProperties", (one,), {}, f"should have at least {node['minProperties']} properties"
    if keys:
        yield "list-map-keys", (value,), [*value, value[0]], "Duplicate value"


def _copies(one: Json, count: int, keys: tuple[str, ...]) -> list[Json]:
    """That many entries, as small as they may be, told apart by the keys of the list."""
    if isinstance(one, dict) and "task" in one:
        one = {"task": "a"}
    return [{**one, **{key: f"{one[key]}{number}" for key in keys}} if keys else one for number in range(count)]
