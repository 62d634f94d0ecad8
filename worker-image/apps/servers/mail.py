"""`python -m servers.mail`: an SMTP server on port 8025 that takes mail for two domains, and refuses some addresses.

A mailbox whose name ends with 00 does not exist, as with any list of addresses that is a few years old. Mail for
example.org is greylisted: an address is refused once, and taken when the sender comes back.
"""

import asyncio

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

PORT = 8025


class Mailboxes:
    """What the server knows of its mailboxes."""

    def __init__(self) -> None:
        self._greeted = set[str]()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Whether there is such a mailbox."""
        del server, session, rcpt_options
        name, _, domain = address.partition("@")
        if domain not in ("example.com", "example.org"):
            return "551 5.7.1 not a mailbox of this server"
        if name.endswith("00"):
            return "550 5.1.1 no such mailbox"
        if domain == "example.org" and address not in self._greeted:
            self._greeted.add(address)
            return "450 4.2.0 greylisted, come back later"
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
