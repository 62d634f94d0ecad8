"""What a failed connection to a server is said to have failed by."""

import pytest
from redis import exceptions

from taskgroup.transport.errors import BrokerError, broker_errors


def said(address: str, error: Exception) -> str:
    """The sentence for the user."""
    with pytest.raises(BrokerError) as caught, broker_errors(address):
        raise error
    return caught.value.message


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (exceptions.ConnectionError("Error 104 while writing to socket. Connection reset by peer."), "reset"),
        (exceptions.ConnectionError("Connection closed by server."), "closed"),
    ],
)
def test_a_server_that_hangs_up_on_tls_may_ask_for_a_certificate(error: Exception, cause: str) -> None:
    """It says why and hangs up at once: at times the connection is gone before that was read."""
    assert said("rediss://queue:6379/0", error) == (
        f"Redis at rediss://queue:6379/0 cannot be reached: the connection was {cause}; if it asks for a client"
        " certificate, name one in clientCertificateSecretRef."
    )
    assert said("redis://queue:6379/0", error) == (
        f"Redis at redis://queue:6379/0 cannot be reached: the connection was {cause}."
    )
