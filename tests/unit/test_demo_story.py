"""What the demo says about a group."""

from typing import Any

from demo.story import failure_in_words, finished, progress, story


def group(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "pictures", "namespace": "demo"}, "status": status}


def condition(kind: str, status: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "message": message}


def test_a_group_has_ended_when_its_condition_says_so() -> None:
    assert finished(group(conditions=[condition("Finished", "True")]))
    assert not finished(group(conditions=[condition("Finished", "False")]))
    assert not finished({"metadata": {}})


def test_progress_names_what_is_in_the_way() -> None:
    stuck = group(progress="0/3", conditions=[condition("BackendReachable", "False", "Redis does not answer.")])
    free = group(progress="2/3", conditions=[condition("BackendReachable", "True", "It answers.")])
    assert progress({"b": free, "a": stuck}) == "a 0/3 (Redis does not answer.)   b 2/3"


def test_story_tells_outcome_failures_and_the_first_results() -> None:
    failures = [{"reason": "ValueError", "message": "no picture", "count": 2, "indexes": "1,4"}]
    ended = group(
        state="Failed",
        startTime="2026-01-01T00:00:00Z",
        completionTime="2026-01-01T00:00:07Z",
        succeeded=3,
        total=5,
        failures=failures,
    )
    results = [{"index": index, "status": "SUCCESS", "result": {"n": index}} for index in (0, 2, 3)]
    text = story("pictures", ended, [*results, {"index": 1, "status": "FAILURE", "error": "ValueError"}], shown=2)
    assert text.splitlines() == [
        "",
        "pictures: Failed after 7 s, 3 of 5 items succeeded",
        "  2 items failed (1,4): ValueError: no picture",
        '  item 0: {"n": 0}',
        '  item 2: {"n": 2}',
        "  … and 1 more: .venv/bin/python -m taskgroup results pictures --namespace demo",
    ]


def test_what_the_callback_returned_is_shown() -> None:
    times = {"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:07Z"}
    ended = group(state="Complete", succeeded=1, total=1, callback={"result": '{"sent": 9}'}, **times)

    assert story("mails", ended, [], 4).splitlines()[-1] == '  callback: {"sent": 9}'


def test_a_long_failure_is_cut() -> None:
    line = failure_in_words({"reason": "E", "message": "x" * 500, "count": 1, "indexes": "0"})
    assert line.startswith("1 item failed (0): E: xxx")
    assert line.endswith("…")
    assert len(line) <= 110
