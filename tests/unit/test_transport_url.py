"""Redis URLs from Secrets: which are accepted, the messages for the others, and that passwords are not shown."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.transport.url import in_namespace, parse


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
    assert parse(f"rediss://redis.example/0{query}").verify is expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("amqp://guest@host", "must begin with redis://"),
        ("sentinel://a:26379;sentinel://b", "must begin with redis://"),
        ("redis://a:6379,b:6379/0", "must name one Redis"),
        ("redis://:se/pwd9@host:6379/0", "percent-encode|database number"),
        ("redis://host/shop", "database number"),
        ("redis://[::1", "cannot be read"),
        ("rediss://host/0?ssl_cert_reqs=maybe", "ssl_cert_reqs"),
        ("", "must begin with redis://"),
        ("unix:///run/cret.sock", "must begin with redis://"),
        ("rediss://:pwd9@host/0?ssl_ca_certs=/dev/stdout", "caSecretKeyRef"),
        ("rediss://:pwd9@host/0?ssl_keyfile=/proc/self/fd/0", "clientCertificateSecretRef"),
        ("rediss://:pwd9@host/0?credential_provider=os.system", "option 'credential_provider', which is not supported"),
        ("redis://:pwd9@host/0?virtual_host=/etc/passwd", "option 'virtual_host', which is not supported"),
        ("redis://:pwd9@host/0?ssl_cert_reqs=none", "begin it with rediss://"),
        ("rediss://host/0?" + "&".join(f"x{number}=1" for number in range(20)), "more than ten options"),
        (f"redis://:pwd9@{'a' * 254}/0", "no host name or address"),
        (f"redis://:pwd9@{'a' * 500_000}/0", "has 500016 characters"),
        ("redis://:pwd9@host/" + "9" * 5_000, "database number below 100000"),
        ("redis://:pwd9@host/\u0664", "database number"),
        ("redis://:pwd9@ho\0st/0", "control character"),
        ("redis://:pwd9@h%2fost/0", "no host name or address"),
        ("redis://:pwd9@höst/0", "no host name or address"),
        ("redis://:pwd9@[fe80::1%25eth0]/0", "without a zone"),
        ("redis://:pwd9@[::zz]/0", "cannot be read|no IPv6"),
        ("redis://:se?pwd9@host/0", "port|'\\?'"),
        ("redis://:se#pwd9@host/0", "port|'#'"),
    ],
)
def test_a_url_that_cannot_work_gets_a_sentence_without_the_password(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        parse(url)

    assert "pwd9" not in str(caught.value)


def test_the_shown_address_has_no_credentials() -> None:
    url = parse("redis://shop:secret@redis.example:6379/0")

    assert url.address == "redis://redis.example:6379/0"
    assert "secret" not in repr(url)
    assert parse("redis://:secret@[::1]:6379").address == "redis://[::1]:6379/0"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis:6379/0", "redis://redis.shop.svc:6379/0"),
        ("rediss://u:p%40:w@redis/1?ssl_cert_reqs=none", "rediss://u:p%40:w@redis.shop.svc/1?ssl_cert_reqs=none"),
        ("redis://REDIS:6379", "redis://redis.shop.svc:6379"),
        ("redis://redis.other:6379/0", "redis://redis.other:6379/0"),
        ("redis://:pw@10.0.0.1:6379/0", "redis://:pw@10.0.0.1:6379/0"),
        ("redis://[fd00::1]:6379/0", "redis://[fd00::1]:6379/0"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:pw@:6379/0", "redis://:pw@:6379/0"),
    ],
)
def test_a_service_without_a_namespace_is_the_task_groups_own_as_its_workers_see_it(url: str, expected: str) -> None:
    assert in_namespace(url, "shop") == expected


@given(st.one_of(st.text(max_size=60), st.from_regex(r"rediss?://[^ ]{0,40}", fullmatch=True)))
def test_any_text_is_a_url_or_gets_one_short_sentence(text: str) -> None:
    try:
        url = parse(text)
    except ValueError as error:
        sentence = str(error)
    else:
        sentence = f"{url.address}."
        assert in_namespace(text, "shop")
    assert len(sentence) < 300
    assert sentence.endswith(".")
