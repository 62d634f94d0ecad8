"""`python -m servers.mail`: an SMTP server on port 8025 that takes mail for example.com, and refuses some addresses.

A mailbox whose name ends with 00 does not exist, as with any list of addresses that is a few years old.
"""

import asyncio

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

PORT = 8025


class Mailboxes:
    """What the server knows of its mailboxes."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Whether there is such a mailbox."""
        del server, session, rcpt_options
        name, _, domain = address.partition("@")
        if domain != "example.com":
            return "551 5.7.1 not a mailbox of this server"
        if name.endswith("00"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """The mail is read, and thrown away."""
        del server, session, envelope
        return "250 2.0.0 delivered"


def main() -> None:
    """Until the process is told to stop."""
    loop = asyncio.new_event_loop()
    UnthreadedController(Mailboxes(), hostname="", port=PORT, loop=loop).begin()
    loop.run_forever()


if __name__ == "__main__":
    main()
