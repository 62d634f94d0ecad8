"""The process in which CEL expressions run: whatever an expression does, only this process dies of it.

A request is one line of JSON: the expression, and items as pairs of index and result. The answers are lines of JSON,
too: null or what is wrong with the expression, then for each item null or why it does not hold. Run as a file, so that
nothing of the operator is imported here.
"""

import json
import resource
import signal
import sys
from typing import Any

import cel

LIMIT_SECONDS = 1.0
"""Of the processor's time, of compiling and of each item: then the process is killed by its own alarm."""
_MEMORY_BYTES = 1024 * 1024 * 1024


def main() -> None:
    """Answer until the operator is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _say("ready")
    for line in sys.stdin:
        request = json.loads(line)
        _answer(request["expression"], request["items"])
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(expression: str, items: list[tuple[int, Any]]) -> None:
    signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
    try:
        program = cel.compile(expression)
    except Exception as error:  # noqa: BLE001 - the library's errors have no common class
        _say(str(error))
        return
    _say(None)
    for index, result in items:
        signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
        _say(_why_not(program, index, result))


def _why_not(program: cel.Program, index: int, result: Any) -> str | None:
    try:
        found = program.execute({"result": result, "index": index})
    except KeyError as error:
        return f"cannot be evaluated: there is no {error}"
    except Exception as error:  # noqa: BLE001 - as above
        return f"cannot be evaluated: {error}"
    if found is True:
        return None
    return "is false" if found is False else "is neither true nor false"


def _say(answer: str | None) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
