"""Notices on their way: webhooks, signed, and mail; tried again until they arrive, or are too old to matter."""

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from handfast.ca.notices import Notice, NoticeQueue, next_attempt
from handfast.client.addresses import EgressPolicy, resolve
from handfast.client.egress import Message, fetch
from handfast.errors import ConfigError, HandfastError, Unavailable
from handfast.keys.files import read_private
from handfast.server.holding import Step, freely
from handfast.server.log import Log, quiet
from handfast.server.notice_settings import NoticeSettings

SIGNATURE = "Handfast-Signature"
_LEAST_SECRET = 16
_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One way out. name: by which the store knows that it took a notice; of a URL, which may be a secret, a digest."""

    name: str
    give: Callable[[Notice, datetime], None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The queue, and every way out of it. A notice has arrived when every channel took it.

    One that fails keeps no other from it, and is alone given it again.
    """

    queue: NoticeQueue
    channels: tuple[Channel, ...]
    log: Log = quiet

    def deliver(self, now: datetime, step: Step = freely) -> tuple[int, int]:
        """Deliver what is due; how many arrived, and how many did not."""
        arrived = missed = 0
        for notice in self.queue.due(now):
            tried, why = self._attempt(notice, now, step)
            if not why:
                self.queue.delivered(tried)
                arrived += 1
            else:
                self.queue.failed(tried, why, again_at=next_attempt(notice, now))
                self.log("notice.missed", subject=notice.subject, why=why)
                missed += 1
        return arrived, missed

    def _attempt(self, notice: Notice, now: datetime, step: Step) -> tuple[Notice, str]:
        """The notice with those that took it by now, and why the others did not.

        After a crash in between, one that took it may be given it again: it bears its id.
        """
        taken, why = set(notice.taken), []
        for channel in self.channels:
            if channel.name in notice.taken:
                continue
            step()
            try:
                channel.give(notice, now)
            except HandfastError as error:
                why.append(error.message)
            else:
                taken.add(channel.name)
        return replace(notice, taken=frozenset(taken)), "; ".join(why)


def delivery_of(settings: NoticeSettings, queue: NoticeQueue, directory: Path, log: Log = quiet) -> Delivery:
    """The channels that the settings name. Raises ConfigError for a secret that is not there or is guessable."""
    policy = EgressPolicy(allowed=settings.networks, timeout=_TIMEOUT, largest=65536, redirects=0)
    channels: list[Channel] = []
    if settings.webhooks:
        secret = _secret(directory / settings.secret_file)
        channels += [_webhook(url, secret, policy) for url in settings.webhooks]
    if settings.smtp:
        channels += [_mail(settings, recipient, policy) for recipient in settings.recipients]
    return Delivery(queue, tuple(channels), log)


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
        try:
            fetch(url, policy=policy, message=Message(body, "application/json", headers, wants_body=False))
        except HandfastError as error:
            # The path of a webhook is often all that protects it.
            error.message = error.message.replace(url, origin)
            raise

    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return Channel(_name("webhook", url), post)


def _mail(settings: NoticeSettings, recipient: str, policy: EgressPolicy) -> Channel:
    """To one recipient: a server that refuses another one took this one all the same."""

    def send(notice: Notice, _now: datetime) -> None:
        host, port = settings.mail_server
        address = resolve(host, port, policy)
        try:
            with smtplib.SMTP(timeout=policy.timeout) as server:
                server.connect(str(address), port)
                server._host = host  # type: ignore[attr-defined]  # noqa: SLF001  # whom its certificate must name
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=ssl.create_default_context())
                    server.ehlo()
                server.send_message(mail_of(notice, settings.sender, settings.recipients), to_addrs=[recipient])
        except (OSError, smtplib.SMTPException) as error:
            msg = f"the mail server {host} did not take the notice for {recipient}: {error}"
            raise Unavailable(msg, hint="look into its log; the notice is tried again") from None

    return Channel(_name("mail", recipient), send)


def _name(kind: str, place: str) -> str:
    return f"{kind}-{hashlib.sha256(place.encode()).hexdigest()[:32]}"


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
