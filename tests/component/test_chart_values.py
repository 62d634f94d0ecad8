"""The chart's values: wrong ones are refused by name."""

from typing import Any

import pytest

from support.helm import HelmError, render


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": 2}, "additional properties 'replicas' not allowed"),
        ({"logLevel": "chatty"}, "'/logLevel': value must be one of"),
        ({"watchNamespaces": ["Team A"]}, "'/watchNamespaces/0'"),
        ({"watchNamespaces": "team-a"}, "'/watchNamespaces': got string, want array"),
        ({"image": {"digest": "abc"}}, "'/image/digest'"),
        ({"redis": {"password": "a/b"}}, "'/redis/password'"),
        ({"redis": {"maxMemory": 5}}, "'/redis/maxMemory': got number, want string"),
        ({"redis": {"persistence": {"size": "big"}}}, "'/redis/persistence/size'"),
        ({"metrics": {"port": 8080}}, "metrics.port and health.port are the same"),
        ({"metrics": {"serviceMonitor": {"interval": "soon"}}}, "'/metrics/serviceMonitor/interval'"),
        ({"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}}, "choose one"),
        ({"metrics": {"enabled": False, "podMonitor": {"enabled": True}}}, "set metrics.enabled=true"),
        ({"metrics": {"secure": {"certificateSecret": "tls"}}}, "set metrics.secure.enabled=true"),
        ({"metrics": {"secure": {"certificateSecret": "A/b"}}}, "'/metrics/secure/certificateSecret'"),
        ({"metrics": {"secure": {"monitor": {"tokenSecret": "a"}}}}, "got string, want object"),
        ({"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}, "leave the other empty"),
        ({"podDisruptionBudget": {"minAvailable": "half"}}, "'/podDisruptionBudget/minAvailable'"),
        ({"networkPolicy": {"dnsPorts": []}}, "'/networkPolicy/dnsPorts'"),
        ({"broker": {"existingSecret": "mine"}}, "set redis.enabled=false"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError) as refusal:
        render(values)
    assert message in str(refusal.value)
