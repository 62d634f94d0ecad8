"""What a pod makes of a source of items: real files and a real web server; Redis is a dictionary."""

import gzip
import hashlib
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.api.items_from import ItemsFormat
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.external import ExternalItems, external_items
from taskgroup.core.items.handover import HEAD, LONGEST_ITEM, MAX_BYTES, PIECE_ITEMS, Head, Pieces, unpacked
from taskgroup.sources.formats import UnreadableError, format_of
from taskgroup.sources.read import KEEP_SECONDS, Request, read

KEY = "taskgroup:u1:items"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=5,
)  # fmt: skip


class Hash(dict[str, bytes]):
    """The one hash that a reading writes."""

    expires: int | None = None

    def delete(self, *names: str) -> None:
        assert names == (KEY,)
        self.clear()

    def hset(self, name: str, key: str, value: bytes) -> None:
        assert name == KEY
        self[key] = value

    def expire(self, name: str, time: int) -> None:
        assert name == KEY
        self.expires = time


def reading(place: Path | str, **fields: Any) -> tuple[Hash, Head]:
    store = Hash({"old": b""})
    head = read(Request(str(place), str(place), "source", KEY, **fields), store)
    assert Head.decode(store[HEAD]) == head
    assert store.expires == KEEP_SECONDS
    return store, head


def items_in(store: Hash, head: Head) -> list[Any]:
    steps = external_items(head, [store[str(number)] for number in range(len(head.starts))])
    while True:
        try:
            next(steps)
        except StopIteration as end:
            items: ExternalItems = end.value
            return [items.value(index) for index in range(len(items))]


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def digest_of(items: list[Any]) -> str:
    """As the head of these items must have it."""
    pieces = Pieces()
    for item in items:
        pieces.add(item)
    return pieces.head("").sha256


@pytest.mark.parametrize(
    ("name", "content", "items"),
    [
        ("a.jsonl", '{"a": 1}\n\n[2]\r\n"é"\n3', [{"a": 1}, [2], "é", 3]),
        ("a.ndjson", "\ufeff1\n2\n", [1, 2]),
        ("a.json", '[{"a": [1.5, null]}, true, "x"]', [{"a": [1.5, None]}, True, "x"]),
        ("a.csv", 'name,size\n"a, b",1\nc,\n', [{"name": "a, b", "size": "1"}, {"name": "c", "size": ""}]),
        ("a.csv", '\ufeffname\n"two\nlines"\n', [{"name": "two\nlines"}]),
        ("a.csv", f"name\n{'x' * 1_000_000}\n", [{"name": "x" * 1_000_000}]),
        ("a.txt", " one \n\ntwo", [" one ", "two"]),
        ("a.jsonl.gz", gzip.compress(b"1\n2\n", mtime=0), [1, 2]),
    ],
)
def test_each_format_is_read(tmp_path: Path, name: str, content: str | bytes, items: list[Any]) -> None:
    store, head = reading(file(tmp_path, name, content))

    assert head.error == ""
    assert items_in(store, head) == items
    assert (head.count, head.sha256) == (len(items), digest_of(items))
    assert "old" not in store


@given(st.lists(JSON, min_size=1, max_size=30))
def test_every_json_value_arrives_as_it_is(tmp_path_factory: pytest.TempPathFactory, items: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("items")
    lines = b"\n".join(map(orjson.dumps, items))
    for name, content in (("a.jsonl", lines), ("a.json", orjson.dumps(items))):
        store, head = reading(file(folder, name, content))
        assert items_in(store, head) == items


def test_a_long_list_comes_in_pieces(tmp_path: Path) -> None:
    store, head = reading(file(tmp_path, "a.txt", "\n".join(map(str, range(2 * PIECE_ITEMS + 1)))))

    assert head.starts == (0, PIECE_ITEMS, 2 * PIECE_ITEMS)
    assert items_in(store, head)[PIECE_ITEMS] == str(PIECE_ITEMS)
    assert set(store) == {HEAD, "0", "1", "2"}


def test_long_items_make_shorter_pieces(tmp_path: Path) -> None:
    store, head = reading(file(tmp_path, "a.txt", "\n".join(["x" * 700_000] * 5)))

    assert head.starts == (0, 2, 4)
    assert len(unpacked(store["0"], 2 * LONGEST_ITEM)) == 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", "1\n{oops\n", "Line 2 is not JSON: "),
        ("a.jsonl", "NaN", "Line 1 is not JSON: NaN is no value in it."),
        ("a.jsonl", "[" * 100_000, "Line 1 is not JSON: "),
        ("a.jsonl", b"1\n\xff\n", "Line 2 is not UTF-8."),
        ("a.txt", "x" * (LONGEST_ITEM + 1), "Line 1 is longer than 1,048,576 bytes: pass large data by reference."),
        ("a.json", "[1, 2, oops]", "It is not a JSON list: behind item 1: "),
        ("a.json", '{"a": 1}', "It has no items: a JSON list at the top is wanted."),
        ("a.json", "[1, 2", "It is not a JSON list: behind item 1: "),
        ("a.json", "[1, 123456789012345678901234567890]", "It is not a JSON list: behind item 0: "),
        ("a.jsonl", "123456789012345678901234567890", "cannot be handed on: "),
        ("a.json", f'["{"x" * LONGEST_ITEM}"]', "Item 0 cannot be handed on: it is longer than 1,048,576 bytes"),
        ("a.csv", "a,b\n1\n", "Line 2 has 1 values, and the first row names 2 columns."),
        ("a.csv", "a,a\n1,2\n", "The first row names a column twice: a, a."),
        ("a.csv", 'a\n"x"y\n', "Line 2 is no CSV: "),
        ("a.csv", b"a\n\xff\n", "it is not UTF-8."),
        ("a.csv", f"a\n{'x' * (LONGEST_ITEM + 1)}\n", "Line 2 is longer than 1,048,576 bytes: pass large data by"),
        ("a.csv", f'a\n"{"x" * LONGEST_ITEM}\n"\n', "Line 2 is longer than 1,048,576 bytes: pass large data by"),
        ("a.csv", b'a\n"' + b"x\n" * LONGEST_ITEM + b'"\n', "is no CSV: field larger than field limit"),
        ("a.csv", "a,b\n", "It has no items."),
        ("a.txt", "\n \n", "It has no items."),
        ("a.jsonl.gz", b"1\n2\n", "It cannot be read to its end: Not a gzipped file"),
        ("a.jsonl.gz", gzip.compress(b"1\n" * 1000, mtime=0)[:-12], "It cannot be read to its end: "),
        ("a.yaml", "- 1", "does not end in .json, .jsonl, .ndjson, .csv, .txt: set spec.itemsFrom.format."),
    ],
)
def test_what_is_no_list_of_items_is_said(tmp_path: Path, name: str, content: str | bytes, sentence: str) -> None:
    store, head = reading(file(tmp_path, name, content))

    assert sentence in head.error
    assert set(store) == {HEAD}, "no piece of it stays"


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert reading(tmp_path / "a.txt")[1].error == "There is no file 'a.txt'."


def test_a_format_that_is_given_counts_more_than_the_name(tmp_path: Path) -> None:
    store, head = reading(file(tmp_path, "a.txt", "[1]"), format=ItemsFormat.JSON)

    assert items_in(store, head) == [1]


def test_the_digest_is_that_of_the_file_as_it_is_stored(tmp_path: Path) -> None:
    packed = gzip.compress(b"1\n2\n")
    path = file(tmp_path, "a.jsonl.gz", packed)

    assert not reading(path, sha256=hashlib.sha256(packed).hexdigest())[1].error
    found = hashlib.sha256(packed).hexdigest()
    wrong = "0" * 64
    assert reading(path, sha256=wrong)[1].error == f"Its sha256 is {found}, and spec.itemsFrom.sha256 is {wrong}."


def test_more_than_the_operator_may_keep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskgroup.sources.read.MAX_BYTES", 100)
    _, head = reading(file(tmp_path, "a.txt", "\n".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(9))))

    assert head.error == "Its items have over 100 bytes, compressed: pass large data by reference."
    assert MAX_BYTES < 50_000_000


Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def web() -> Iterator[Callable[[Answer], str]]:
    """A web server that answers as it is told; the URL of a file there."""
    servers: list[ThreadingHTTPServer] = []

    def serve(answer: Answer) -> str:
        handler = type("Handler", (BaseHTTPRequestHandler,), {"do_GET": answer, "log_message": lambda *_: None})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/items.jsonl"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def sending(content: bytes, length: int | None = None, status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def test_a_url_is_read(web: Callable[[Answer], str]) -> None:
    store, head = reading(web(sending(b'{"a": 1}\n{"a": 2}\n')))

    assert items_in(store, head) == [{"a": 1}, {"a": 2}]


def test_what_a_server_refuses_is_said(web: Callable[[Answer], str]) -> None:
    assert reading(web(sending(b"", status=404)))[1].error == "The URL answers 404 Not Found."
    assert "The URL cannot be reached: " in reading("http://127.0.0.1:1/a.txt")[1].error


def test_an_answer_that_is_cut_off_is_no_shorter_list(web: Callable[[Answer], str]) -> None:
    error = reading(web(sending(b"1\n2\n", length=100)))[1].error

    assert error.startswith("It cannot be read to its end: ")


def test_a_list_that_somebody_changed_is_refused() -> None:
    store, head = Hash(), Head("source", 1, "0" * 64, (0,))
    store["0"] = b"no piece"
    with pytest.raises(InvalidSpecError, match="cannot be read: create a new TaskGroup"):
        items_in(store, head)


@pytest.mark.parametrize(
    "head",
    [b"", b"1", b"[]", b'["a", -1, "b", [], ""]', b'["a", 1, "b", [1], ""]', b'["a", 2, "b", [0, 0], ""]',
     b'["a", 1, "b", ["0"], ""]', b'["a", 1, 2, [0], ""]', b'["a", 100000000000, "b", [0], ""]'],
)  # fmt: skip
def test_a_head_that_is_none_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match="no readable head"):
        Head.decode(head)


def test_a_million_lines_cost_the_operator_few_megabytes() -> None:
    """Measured with a tenth of them: the operator checks each, keeps the pieces and asks for any."""
    count = 100_000
    pieces = Pieces()
    added = [pieces.add({"id": number, "email": f"customer-{number}@example.com"}) for number in range(count)]
    kept, head = [piece for piece in added if piece], pieces.head("source")
    tracemalloc.start()
    steps = external_items(head, [bytes(bytearray(piece)) for piece in kept])
    try:
        while True:
            next(steps)
    except StopIteration as end:
        items: ExternalItems = end.value
    values = [items.value(index)["id"] for index in (0, count // 2, count - 1)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert values == [0, count // 2, count - 1]
    held = sum(map(len, kept))
    assert 10 * held + (most - held) < 50_000_000, "ten times the pieces, and what one look needs"


def test_a_name_tells_its_format() -> None:
    assert format_of("a/b.csv.gz") is ItemsFormat.CSV
    with pytest.raises(UnreadableError):
        format_of("csv")
