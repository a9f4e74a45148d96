"""Notices on their way: webhooks, signed, and mail; tried again until they arrive, or are too old to matter."""

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

from handfast.ca.notices import Notice, NoticeQueue, next_attempt
from handfast.client.addresses import EgressPolicy, resolve
from handfast.client.egress import Message, fetch
from handfast.errors import ConfigError, HandfastError, Unavailable
from handfast.keys.files import read_private
from handfast.server.holding import Step, freely
from handfast.server.notice_settings import NoticeSettings

SIGNATURE = "Handfast-Signature"
_LEAST_SECRET = 16
_TIMEOUT = 15.0
Channel = Callable[[Notice, datetime], None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The queue, and every way out of it. A notice has arrived when every channel took it."""

    queue: NoticeQueue
    channels: tuple[Channel, ...]

    def deliver(self, now: datetime, step: Step = freely) -> tuple[int, int]:
        """Deliver what is due; how many arrived, and how many did not."""
        arrived = missed = 0
        for notice in self.queue.due(now):
            step()
            why = self._attempt(notice, now)
            if why is None:
                self.queue.delivered(notice)
                arrived += 1
            else:
                self.queue.failed(notice, why, again_at=next_attempt(notice, now))
                missed += 1
        return arrived, missed

    def _attempt(self, notice: Notice, now: datetime) -> str | None:
        """Why it did not arrive. A channel that took it may be given it again: it bears its id."""
        for channel in self.channels:
            try:
                channel(notice, now)
            except HandfastError as error:
                return error.message
        return None


def delivery_of(settings: NoticeSettings, queue: NoticeQueue, directory: Path) -> Delivery:
    """The channels that the settings name. Raises ConfigError for a secret that is not there or is guessable."""
    policy = EgressPolicy(allowed=settings.networks, timeout=_TIMEOUT, largest=65536, redirects=0)
    channels: list[Channel] = []
    if settings.webhooks:
        secret = _secret(directory / settings.secret_file)
        channels += [_webhook(url, secret, policy) for url in settings.webhooks]
    if settings.smtp:
        channels.append(_mail(settings, policy))
    return Delivery(queue, tuple(channels))


def signature(secret: bytes, moment: int, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds, a full stop and the body (RFC 2104).

    The receiver computes the same, compares in constant time, and refuses what is older than some minutes.
    """
    digest = hmac.new(secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def body_of(notice: Notice) -> bytes:
    """What a webhook gets."""
    document = {
        "id": notice.id,
        "kind": notice.kind.value,
        "subject": notice.subject,
        "text": notice.text,
        "created_at": notice.created_at.isoformat(),
        "detail": dict(notice.detail),
    }
    return json.dumps(document, sort_keys=True).encode()


def _secret(path: Path) -> bytes:
    secret = read_private(path).strip()
    if len(secret) < _LEAST_SECRET:
        hint = f"openssl rand -hex 32 > {path}"
        raise ConfigError(f"{path} has {len(secret)} octets: too few to sign with", hint=hint)
    return secret


def _webhook(url: str, secret: bytes, policy: EgressPolicy) -> Channel:
    def post(notice: Notice, now: datetime) -> None:
        body = body_of(notice)
        headers = {SIGNATURE: signature(secret, int(now.timestamp()), body)}
        fetch(url, policy=policy, message=Message(body, "application/json", headers, wants_body=False))

    return post


def _mail(settings: NoticeSettings, policy: EgressPolicy) -> Channel:
    def send(notice: Notice, _now: datetime) -> None:
        host, port = settings.mail_server
        resolve(host, port, policy)
        try:
            with smtplib.SMTP(host, port, timeout=policy.timeout) as server:
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=ssl.create_default_context())
                    server.ehlo()
                server.send_message(mail_of(notice, settings.sender, settings.recipients))
        except (OSError, smtplib.SMTPException) as error:
            msg = f"the mail server {host} did not take the notice: {error}"
            raise Unavailable(msg, hint="look into its log; the notice is tried again") from None

    return send


def mail_of(notice: Notice, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The notice as a mail; the same one has the same Message-ID, so that a second copy is recognized."""
    message = EmailMessage()
    message["From"], message["To"] = sender, ", ".join(recipients)
    message["Subject"] = f"[handfast] {notice.text.splitlines()[0][:150]}"
    message["Date"] = notice.created_at
    message["Message-ID"] = f"<{hashlib.sha256(notice.subject.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text + "\n")
    return message
