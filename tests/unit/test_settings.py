"""The operator's settings, from its environment."""

import pytest

from taskgroup.settings import Settings, read_settings


def test_without_variables_the_defaults_serve() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({"PATH": "/bin", "TASKGROUP_LOG_LEVEL": ""}) == Settings()


def test_every_variable_is_read() -> None:
    settings = read_settings(
        {
            "TASKGROUP_NAMESPACE": "ops",
            "TASKGROUP_POD_NAME": "operator-0",
            "TASKGROUP_WATCH_NAMESPACES": "shop, web,",
            "TASKGROUP_REDIS_SECRET": "redis",
            "TASKGROUP_REDIS_NAMESPACES": "ops",
            "TASKGROUP_LOG_LEVEL": "DEBUG",
            "TASKGROUP_LEASE_NAME": "lease",
            "TASKGROUP_LEASE_SECONDS": "20",
            "TASKGROUP_RESYNC_SECONDS": "5",
            "TASKGROUP_MAX_MESSAGE_BYTES": "2000000",
        }
    )

    assert settings == Settings(
        namespace="ops",
        pod_name="operator-0",
        watch_namespaces=("shop", "web"),
        redis_secret="redis",
        redis_namespaces=("ops",),
        log_level="DEBUG",
        lease_name="lease",
        lease_seconds=20,
        resync_seconds=5,
        max_message_bytes=2_000_000,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TASKGROUP_LOG_LEVEL", "LOUD"),
        ("TASKGROUP_LEASE_SECONDS", "soon"),
        ("TASKGROUP_LEASE_SECONDS", "4"),
        ("TASKGROUP_LEASE_SECONDS", "301"),
        ("TASKGROUP_RESYNC_SECONDS", "0"),
        ("TASKGROUP_MAX_MESSAGE_BYTES", "1000"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{variable} is '{value}': "):
        read_settings({variable: value})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_settings({}).namespace = "other"  # type: ignore[misc]
