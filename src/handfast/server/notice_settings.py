"""The settings below [notices]: who is told what, and how far ahead."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from handfast.client.addresses import Network
from handfast.errors import ConfigError
from handfast.server.setting_values import as_fields, as_lifetime, as_list, as_text

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
    found = NoticeSettings(**as_fields(key, value, _PARSERS))
    if found.webhooks and not found.secret_file:
        hint = "write 32 random characters into a file, mode 600: openssl rand -hex 32 > webhook.secret"
        raise ConfigError(
            f"{key}.webhooks needs {key}.secret_file: a webhook that is not signed proves nothing", hint=hint
        )
    if found.smtp and not (found.sender and found.recipients):
        raise ConfigError(f"{key}.smtp needs {key}.sender and {key}.recipients", hint='sender = "ca@example.org"')
    return found


def _line(key: str, value: object) -> str:
    """A text of one line: some become headers of a mail."""
    return as_text(key, value, str.isprintable)


def _urls(key: str, value: object) -> tuple[str, ...]:
    return as_list(key, value, _url)


def _url(key: str, value: object) -> str:
    text = _line(key, value)
    if not text.startswith(("https://", "http://")):
        raise ConfigError(f"{key} must be URLs, not {text!r}", hint="write https://hooks.example.org/ca")
    return text


def _server(key: str, value: object) -> str:
    text = _line(key, value)
    host, colon, port = text.rpartition(":")
    if colon and not (host and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"{key} must be a host and a port, not {text!r}", hint="write mail.example.org:25")
    return text


def _address(key: str, value: object) -> str:
    text = _line(key, value)
    if text.count("@") != 1 or " " in text:
        raise ConfigError(f"{key} must be an e-mail address, not {text!r}", hint="write ca@example.org")
    return text


def _addresses(key: str, value: object) -> tuple[str, ...]:
    return as_list(key, value, _address)


def _networks(key: str, value: object) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in as_list(key, value, _line))
    except ValueError as error:
        raise ConfigError(f"{key} must be networks: {error}", hint="write 10.0.0.0/8") from None


def _lifetimes(key: str, value: object) -> tuple[timedelta, ...]:
    return tuple(sorted({as_lifetime(key, text) for text in as_list(key, value, _line)}, reverse=True))


_PARSERS: Mapping[str, Callable[[str, object], Any]] = {
    "webhooks": _urls,
    "secret_file": _line,
    "smtp": _server,
    "sender": _address,
    "recipients": _addresses,
    "networks": _networks,
    "ahead": _lifetimes,
}
