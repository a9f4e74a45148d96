"""The settings below [notices]: who is told what, and how far ahead."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from handfast.client.addresses import Network
from handfast.errors import ConfigError, Malformed
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.nearest import nearest

_SMTP_PORT = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSettings:
    """webhooks: URLs that get each notice by POST. secret_file: holds what they are signed with.

    smtp: host and port of a mail server; empty for no mail. networks: private ones that may be reached. ahead: how long
    before its end a certificate is told of.
    """

    webhooks: tuple[str, ...] = ()
    secret_file: str = ""
    smtp: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    ahead: tuple[timedelta, ...] = (timedelta(days=30), timedelta(days=7), timedelta(days=1))

    @property
    def are_wanted(self) -> bool:
        """Whether anybody is told at all."""
        return bool(self.webhooks or self.smtp)

    @property
    def mail_server(self) -> tuple[str, int]:
        """Its host and port."""
        host, colon, port = self.smtp.rpartition(":")
        return (host, int(port)) if colon else (self.smtp, _SMTP_PORT)


def parse_notices(key: str, value: object) -> NoticeSettings:
    """The table `notices`. Raises ConfigError that names the key."""
    if not isinstance(value, dict):
        raise ConfigError(f"{key} must be a table", hint=f"write [{key}] on a line of its own")
    for name in value:
        if name not in _PARSERS:
            raise ConfigError(f"there is no setting {key}.{name}", hint=nearest(name, _PARSERS))
    found = NoticeSettings(**{name: _PARSERS[name](f"{key}.{name}", one) for name, one in value.items()})
    if found.webhooks and not found.secret_file:
        hint = "write 32 random characters into a file, mode 600: openssl rand -hex 32 > webhook.secret"
        raise ConfigError(
            f"{key}.webhooks needs {key}.secret_file: a webhook that is not signed proves nothing", hint=hint
        )
    if found.smtp and not (found.sender and found.recipients):
        raise ConfigError(f"{key}.smtp needs {key}.sender and {key}.recipients", hint='sender = "ca@example.org"')
    return found


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ConfigError(f"{key} must be a text", hint='write it in quotes: "..."')
    return value


def _texts(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{key} must be a list", hint='write it in brackets: ["...", "..."]')
    return tuple(_text(key, one) for one in value)


def _urls(key: str, value: object) -> tuple[str, ...]:
    found = _texts(key, value)
    for url in found:
        if not url.startswith(("https://", "http://")):
            raise ConfigError(f"{key} must be URLs, not {url!r}", hint="write https://hooks.example.org/ca")
    return found


def _server(key: str, value: object) -> str:
    text = _text(key, value)
    host, colon, port = text.rpartition(":")
    if colon and not (host and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"{key} must be a host and a port, not {text!r}", hint="write mail.example.org:25")
    return text


def _address(key: str, value: object) -> str:
    text = _text(key, value)
    if text.count("@") != 1 or " " in text:
        raise ConfigError(f"{key} must be an e-mail address, not {text!r}", hint="write ca@example.org")
    return text


def _addresses(key: str, value: object) -> tuple[str, ...]:
    return tuple(_address(key, one) for one in _texts(key, value))


def _networks(key: str, value: object) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in _texts(key, value))
    except ValueError as error:
        raise ConfigError(f"{key} must be networks: {error}", hint="write 10.0.0.0/8") from None


def _lifetimes(key: str, value: object) -> tuple[timedelta, ...]:
    try:
        return tuple(sorted({parse_lifetime(text) for text in _texts(key, value)}, reverse=True))
    except Malformed as malformed:
        raise ConfigError(f"{key}: {malformed.message}", hint=malformed.hint) from None


_PARSERS: Mapping[str, Callable[[str, object], Any]] = {
    "webhooks": _urls,
    "secret_file": _text,
    "smtp": _server,
    "sender": _address,
    "recipients": _addresses,
    "networks": _networks,
    "ahead": _lifetimes,
}
