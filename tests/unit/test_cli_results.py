"""The lines of `taskgroup results`: the outcome of an item by the ledger, and its value if it still exists."""

import json
from typing import Any

import pytest

from support.builders import chain_spec, indexes, ledger, spec
from taskgroup.cli.line import NOT_KEPT, line_of
from taskgroup.cli.results import NOT_JSON, json_line, last_unit
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import unit_of
from taskgroup.results.decode import StoredResult

VALUE = StoredResult("SUCCESS", 42)
ERROR = StoredResult("FAILURE", {"exc_type": "KeyError", "exc_message": ["lost"]})
LEDGER = ledger(succeeded=indexes(1), failed=indexes(2), cancelled=indexes(3))


@pytest.mark.parametrize(
    ("index", "stored", "line"),
    [
        (1, VALUE, {"status": "SUCCESS", "result": 42}),
        (1, None, {"status": "SUCCESS", "note": NOT_KEPT}),
        (2, ERROR, {"status": "FAILURE", "error": "KeyError: lost"}),
        (2, None, {"status": "FAILURE", "error": "ValueError: bad"}),
        (2, VALUE, {"status": "FAILURE", "error": "ValueError: bad"}),
        (3, None, {"status": "CANCELLED"}),
        (3, VALUE, {"status": "CANCELLED"}),
        (4, None, {"status": "PENDING"}),
        (4, VALUE, {"status": "SUCCESS", "result": 42}),
        (4, ERROR, {"status": "FAILURE", "error": "KeyError: lost"}),
    ],
)
def test_the_ledger_says_how_an_item_ended(index: int, stored: StoredResult | None, line: dict[str, Any]) -> None:
    assert line_of(index, stored, LEDGER) == {"index": index} | line


def test_the_value_of_a_chain_is_that_of_its_last_step() -> None:
    chain = {"chain": [{"task": "a"}, {"task": "b"}]}

    assert last_unit(chain_spec(3), 4) == unit_of(4, 2)
    assert last_unit(spec(), 4) == 4
    mixed = spec(tasks=[{"task": "a"}, chain, {"chain": [{"task": "a"}]}])
    assert [last_unit(mixed, index) for index in range(3)] == [0, unit_of(1, 1), 2]


def test_the_ledger_says_why_a_chain_failed() -> None:
    """It names the step; what is stored of the last step is no failure, or does not say which step it was."""
    line = {"index": 2, "status": "FAILURE", "error": "ValueError: bad"}

    assert [line_of(2, stored, LEDGER, is_chain=True) for stored in (None, ERROR)] == [line, line]


def test_without_a_ledger_the_stored_state_is_shown() -> None:
    assert line_of(0, VALUE, Ledger()) == {"index": 0, "status": "SUCCESS", "result": 42}


def test_every_line_is_json_whatever_a_task_returned() -> None:
    nan, infinity = float("nan"), float("inf")

    line = json_line({"index": 0, "status": "SUCCESS", "result": {"a": [nan, 1.5], "b": [infinity, -infinity]}})

    strict = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert strict["result"] == {"a": ["NaN", 1.5], "b": ["Infinity", "-Infinity"]}
    assert strict["note"] == NOT_JSON


def test_a_line_can_be_printed_whatever_a_task_returned() -> None:
    line = json_line({"index": 0, "result": "\ud800é"})

    assert json.loads(line.encode().decode()) == {"index": 0, "result": "?é"}
