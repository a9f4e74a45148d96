"""Heads of the audit log, for whoever shall witness that nothing in it is changed."""

import fcntl
import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from handfast.ca.audit_head import Head, sign_head
from handfast.client.addresses import EgressPolicy
from handfast.client.egress import Message, fetch
from handfast.errors import ConfigError, Malformed
from handfast.keys.files import PUBLIC, read_file, read_private, require_private, sync
from handfast.server.assembly import Parts
from handfast.server.audit_key import audit_key
from handfast.server.holding import Step, freely

_TYPE = "application/json"
# Whoever may write the settings chose the address; it may well be in a private network.
_ANYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def new_head(parts: Parts) -> Head:
    """A signed head of the audit log, kept in the store. Raises ConfigError without the audit key's passphrase."""
    head = _signed_head(parts)
    parts.store.heads.add(head)
    return head


def _signed_head(parts: Parts) -> Head:
    key = audit_key(parts)
    event = parts.store.heads.last_event()
    if event is None:
        raise ConfigError("the audit log is empty", hint="there is nothing to witness yet")
    return sign_head(event, key, parts.clock())


@dataclass(frozen=True, slots=True)
class Access:
    """What an https witness asks for, and by what it is trusted. token: empty for none. roots: PEM. certificate: the
    path of a file with a client certificate and its key; empty for none.
    """

    token: str = field(default="", repr=False)
    roots: str = ""
    certificate: str = ""


def access_of(parts: Parts, witness: str) -> Access:
    """The settings' own, for the settings' own witness: its token is for nobody else. Raises ConfigError."""
    settings = parts.settings.audit
    if witness != settings.witness or "://" not in witness:
        return Access()
    token = _read(parts.directory, settings.witness_token, read_private)
    certificate = str(parts.directory / settings.witness_certificate) if settings.witness_certificate else ""
    if certificate:
        require_private(Path(certificate))
    return Access(token.strip(), _read(parts.directory, settings.witness_roots, read_file), certificate)


def _read(directory: Path, name: str, read: Callable[[Path], bytes]) -> str:
    if not name:
        return ""
    try:
        return read(directory / name).decode("ascii")
    except UnicodeDecodeError:
        hint = "write nothing else into it than the token, or roots in PEM"
        raise ConfigError(f"{directory / name} is no text in ASCII", hint=hint) from None


_NO_ACCESS = Access()


def give(head: Head, witness: str, access: Access = _NO_ACCESS) -> None:
    """Append the head to a file, durable, or POST it to an https URL.

    Raises ConfigError, Malformed, Refused when the witness does not want it, Unavailable.
    """
    line = head.line() + "\n"
    if "://" in witness:
        if not witness.startswith("https://"):
            raise Malformed(f"{witness} is no https URL", hint="a witness is a file, or an https URL that takes a POST")
        # A redirect would take the token to where nobody meant it to go.
        policy = EgressPolicy(allowed=_ANYWHERE, redirects=0, anchors=access.roots, certificate=access.certificate)
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        fetch(witness, policy=policy, message=Message(line.encode(), _TYPE, headers, wants_body=False))
        return
    _append(Path(witness), line.encode())


def _append(path: Path, data: bytes) -> None:
    is_new = not path.exists()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PUBLIC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync(path.parent)
    except OSError as error:
        msg = f"the witness {path} cannot be written: {error.strerror}"
        raise ConfigError(msg, hint="give a file in a directory that you may write") from None


def witness_if_due(parts: Parts, step: Step = freely) -> Head | None:
    """Give a head to the witness of the settings, when there are events that the last head does not cover.

    A head that the witness did not take is not kept: the next time, it is given another one.
    """
    witness = parts.settings.audit.witness
    event = parts.store.heads.last_event()
    if not witness or event is None:
        return None
    known = parts.store.heads.all()
    if known and known[-1].id == event.id and known[-1].hash == event.hash:
        return None
    step()
    head = _signed_head(parts)
    give(head, witness if "://" in witness else str(parts.directory / witness), access_of(parts, witness))
    parts.store.heads.add(head)
    return head
