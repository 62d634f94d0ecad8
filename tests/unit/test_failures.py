"""What an owner reads of a failed item: the class, a message that says something, and where it was raised."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.core.completions import Failure
from taskgroup.results.decode import StoredResult
from taskgroup.results.failures import MESSAGE_LENGTH, failure
from taskgroup.results.raised import FRAMES, LENGTH, read_traceback

CELERY = "/venv/lib/python3.11/site-packages/celery/app/trace.py"
HEAD = f"""Traceback (most recent call last):
  File "{CELERY}", line 564, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
"""


def stored(kind: str | None, message: Any, traceback: str | None = None) -> StoredResult:
    return StoredResult("FAILURE", {"exc_type": kind, "exc_message": message, "exc_module": "shop"}, traceback)


def traceback(end: str, *functions: str) -> str:
    """As Celery stores it, with a frame of the user's for each function."""
    frames = "".join(f'  File "/app/shop.py", line 7, in {name}\n    {name}()\n' for name in functions)
    return f"{HEAD}{frames}{end}\n"


@pytest.mark.parametrize(
    ("result", "exception", "message"),
    [
        (stored("ValueError", ["boom"]), "ValueError", "boom"),
        (stored("KeyError", []), "KeyError", ""),
        (stored("Error", [2, "three"]), "Error", "2, three"),
        (stored("X", "y" * MESSAGE_LENGTH), "X", "y" * MESSAGE_LENGTH),
        (stored(None, None), "Unknown", ""),
        (StoredResult("FAILURE", {"unexpected": 1}), "Unknown", ""),
        (StoredResult("FAILURE", "just text"), "Unknown", "just text"),
        (StoredResult("FAILURE", None), "Unknown", ""),
    ],
)
def test_class_and_message_are_those_of_the_exception(result: StoredResult, exception: str, message: str) -> None:
    assert failure(result) == Failure(exception, message)


def test_a_message_that_is_cut_shows_it() -> None:
    message = failure(stored("X", ["y" * (MESSAGE_LENGTH + 1)])).message

    assert message == "y" * (MESSAGE_LENGTH - 1) + "…"


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [(["404: gone"], "TwoArgs('404: gone')", "404: gone"), ([1, 2], "TwoArgs(1, 2)", "TwoArgs(1, 2)")],
)
def test_an_exception_that_cannot_be_pickled_is_called_by_its_own_name(
    arguments: list[Any], text: str, message: str
) -> None:
    kind = "UnpickleableExceptionWrapper"
    end = f"celery.utils.serialization.{kind}: {text}"

    assert failure(stored(kind, ["shop", "TwoArgs", arguments, text], traceback(end, "fetch"))) == Failure(
        "TwoArgs", message
    )


def test_an_empty_message_is_read_from_the_traceback() -> None:
    end = "pydantic_core._pydantic_core.ValidationError: 1 validation error for M\na\n  Input should be an integer\n"

    found = failure(stored("ValidationError", [], traceback(end, "parse")))

    assert found.message == "1 validation error for M\na\n  Input should be an integer"


def test_several_arguments_are_shown_as_python_does() -> None:
    end = "FileNotFoundError: [Errno 2] No such file or directory: 'a'"

    found = failure(stored("FileNotFoundError", [2, "No such file or directory"], traceback(end, "load")))

    assert found.message == "[Errno 2] No such file or directory: 'a'"


def test_a_value_that_is_no_json_comes_with_what_to_return_instead() -> None:
    reason = failure(stored("EncodeError", ["TypeError('Object of type set is not JSON serializable')"]))

    assert reason.message.startswith("TypeError('Object of type set is not JSON serializable'). Only JSON can be")
    assert reason.message.endswith("return a list, a dict, a number or a text instead")


def test_a_read_only_file_system_comes_with_what_to_do() -> None:
    end = "OSError: [Errno 30] Read-only file system: '/app/cache'"

    found = failure(stored("OSError", [30, "Read-only file system"], traceback(end, "store")))

    assert found.message.startswith("[Errno 30] Read-only file system: '/app/cache'. Only /tmp and mounted volumes")
    assert "workers.securityContext.readOnlyRootFilesystem to false" in found.message


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("TimeLimitExceeded", [2], "The task ran longer than timeLimitSeconds (2 s)."),
        ("SoftTimeLimitExceeded", [], "The task ran longer than softTimeLimitSeconds."),
    ],
)
def test_a_time_limit_says_which_and_in_which_unit(kind: str, arguments: list[int], message: str) -> None:
    text = traceback(f"billiard.exceptions.{kind}: {kind}()", "sleep") if not arguments else None

    assert failure(stored(kind, arguments, text)).message == message


@pytest.mark.parametrize(
    ("text", "reason"), [("expired", "Expired"), ("revoked", "Revoked"), ("terminated", "Revoked"), ("", "Revoked")]
)
def test_a_task_that_was_revoked_says_whether_it_had_expired(text: str, reason: str) -> None:
    raised = {"exc_type": "TaskRevokedError", "exc_message": [text], "exc_module": "celery.exceptions"}

    assert failure(StoredResult("REVOKED", raised)) == Failure(reason, text)


def test_an_excerpt_has_the_user_s_last_frames_without_celery_s() -> None:
    names = [f"step_{number}" for number in range(FRAMES + 2)]

    excerpt = failure(stored("ValueError", ["x"], traceback("ValueError: x", *names))).traceback

    lines = excerpt.splitlines()
    assert lines[::2] == [f'File "/app/shop.py", line 7, in {name}' for name in names[2:]]
    assert lines[1] == "  step_2()"


def test_only_the_last_of_several_exceptions_is_shown() -> None:
    first = traceback("ZeroDivisionError: division by zero", "divide")
    text = (
        f"{first}\nThe above exception was the direct cause of the following exception:\n\n{traceback('E: x', 'run')}"
    )

    assert read_traceback(text).excerpt == 'File "/app/shop.py", line 7, in run\n  run()'
    assert read_traceback(text).message == "x"


def test_what_only_celery_raised_has_no_excerpt() -> None:
    assert read_traceback(traceback("E: x")).excerpt == ""


def test_an_excerpt_is_bounded_and_keeps_the_last_frame() -> None:
    long_name, last = "f" * (LENGTH // 2), "g" * (LENGTH * 2)

    assert read_traceback(traceback("E: x", *[long_name] * 3, "end")).excerpt.endswith("in end\n  end()")
    for names in ((long_name, long_name), (last,)):
        assert len(read_traceback(traceback("E: x", *names)).excerpt) <= LENGTH


def test_two_failures_that_differ_in_their_traceback_only_are_one_kind() -> None:
    one, other = (failure(stored("E", ["x"], traceback("E: x", name))) for name in ("a", "b"))

    assert one == other
    assert hash(one) == hash(other)
    assert one.traceback != other.traceback


@given(
    st.text()
    | st.lists(st.sampled_from([HEAD, '  File "a", line 1, in b', "  c", "E: x", "E", "\n", " ^^"])).map("".join)
)
def test_no_text_makes_it_fail(text: str) -> None:
    raised = read_traceback(text)

    assert len(raised.excerpt) <= LENGTH
