"""Redis URLs from Secrets: which are accepted, the messages for the others, and that passwords are not shown."""

import ssl

import pytest

from taskgroup.transport.url import parse


def test_parts_are_decoded() -> None:
    url = parse("redis://shop:p%40ss%2Fw@redis.example:6380/3")

    assert (url.host, url.port, url.database, url.username, url.password) == (
        "redis.example", 6380, 3, "shop", "p@ss/w",
    )  # fmt: skip


def test_what_is_left_out_has_redis_defaults() -> None:
    url = parse("redis://redis.example")

    assert (url.port, url.database, url.username, url.password) == (6379, 0, None, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", ssl.CERT_REQUIRED), ("?ssl_cert_reqs=CERT_NONE", ssl.CERT_NONE), ("?ssl_cert_reqs=none", ssl.CERT_NONE)],
)
def test_tls_reads_the_query_that_celery_reads(query: str, expected: ssl.VerifyMode) -> None:
    assert parse(f"rediss://redis.example/0{query}").tls["ssl_cert_reqs"] is expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("amqp://guest@host", "must begin with redis://"),
        ("sentinel://a:26379;sentinel://b", "must begin with redis://"),
        ("redis://a:6379,b:6379/0", "must name one Redis"),
        ("redis://:se/cret@host:6379/0", "percent-encode|database number"),
        ("redis://host/shop", "database number"),
        ("redis://[::1", "cannot be read"),
        ("rediss://host/0?ssl_cert_reqs=maybe", "ssl_cert_reqs"),
        ("", "must begin with redis://"),
    ],
)
def test_a_url_that_cannot_work_gets_a_sentence_without_the_password(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        parse(url)

    assert "cret" not in str(caught.value)


def test_the_shown_address_has_no_credentials() -> None:
    url = parse("redis://shop:secret@redis.example:6379/0?x=secret")

    assert url.address == "redis://redis.example:6379/0"
    assert "secret" not in repr(url)
    assert parse("redis://:secret@[::1]:6379").address == "redis://[::1]:6379/0"
