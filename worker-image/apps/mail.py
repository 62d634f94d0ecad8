"""An example app: mails to the addresses of a list; an address that is refused is no error of the task."""

import os
import smtplib
from email.message import EmailMessage

from celery import Celery

app = Celery("mail")


@app.task(name="mail.send")
def send(number: int, subject: str) -> dict[str, object]:
    """Send one mail of a campaign."""
    return _send(f"reader{number:05d}@example.com", subject, "Our autumn teas have arrived.")


@app.task(name="mail.invite")
def invite(address: str) -> dict[str, object]:
    """Send one invitation."""
    return _send(address, "A tasting of teas", "You are invited to our tasting of autumn teas.")


@app.task(name="mail.remind")
def remind(invited: dict[str, object]) -> dict[str, object]:
    """Write once more to somebody whom an invitation has reached; what `invite` said of the others stays as it is."""
    if not invited["sent"]:
        return invited
    return {**_send(str(invited["address"]), "Will you come?", "Our tasting of autumn teas is near."), "reminded": True}


def _send(address: str, subject: str, text: str) -> dict[str, object]:
    """`sent` is false when the server refuses the address; all other trouble is an exception."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "news@example.com", address, subject
    message.set_content(text)
    with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ.get("SMTP_PORT", "25")), timeout=20) as server:
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            code, reason = refused.recipients[address]
            return {"sent": False, "address": address, "reason": f"{code} {reason.decode()}"}
    return {"sent": True, "address": address}


@app.task(name="mail.report")
def report(sent: list[dict[str, object]]) -> dict[str, object]:
    """How many mails of all were taken, and the first addresses that were refused."""
    refused = [str(one["address"]) for one in sent if not one["sent"]]
    return {"sent": f"{len(sent) - len(refused)}/{len(sent)}", "refused": len(refused), "first refused": refused[:3]}
