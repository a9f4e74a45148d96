"""What can be proven of a server that runs already, from outside and with the certificates that one has."""

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from handfast.errors import Malformed, Unavailable
from handfast.pki import pem
from handfast.prove.matrix import CLIENT, LET_IN, REFUSED, TITLES, Row, short_version
from handfast.prove.program import Observation, Outcome, Visit
from handfast.prove.throw_away import throw_away_pki
from handfast.prove.visit import Door, http
from handfast.prove.visitors import Visitor
from handfast.targets.contract import Case

# Seconds until a server that says nothing counts as none.
PATIENCE = 10.0
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@dataclass(frozen=True, slots=True)
class Outsider:
    """Who looks at which server. root: PEM. good, revoked: chain and key in PEM, or None when one has none."""

    address: tuple[str, int]
    root: str
    good: tuple[str, str] | None = None
    revoked: tuple[str, str] | None = None


def prove_against(outsider: Outsider) -> tuple[Row, ...]:
    """The rows that need no hand on the server.

    Raises Malformed for certificates that cannot be read, Unavailable when nothing there speaks TLS.
    """
    _require_tls(outsider.address)
    door = Door(outsider.address, outsider.address[0], outsider.root, http(outsider.address[0]))
    pki = throw_away_pki(lambda: datetime.now(UTC))
    rows: list[Row] = []
    if outsider.good:
        user = _visitor(Case.USER, outsider.good)
        rows.append(_row(door, user, LET_IN))
        rows += _resumed(door, user)
    rows += [_row(door, pki.visitors[case], REFUSED) for case in (Case.NO_CERTIFICATE, Case.SELF_SIGNED, Case.OTHER_CA)]
    if outsider.revoked:
        rows.append(_row(door, _visitor(Case.REVOKED, outsider.revoked), REFUSED))
    seen = door.visit(Visit(pki.visitors[Case.NO_CERTIFICATE], trust=pki.foreign_root))
    own = seen.outcome is Outcome.REFUSED and seen.words.startswith("client:")
    rows.append(Row("server of foreign CA", CLIENT, seen.words, own, seconds=seen.seconds))
    return tuple(rows)


def _require_tls(address: tuple[str, int]) -> None:
    """What does not answer, or answers something else, would pass for a server that refuses everybody."""
    where = f"{address[0]}:{address[1]}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(address, timeout=PATIENCE) as raw, context.wrap_socket(raw):
            return
    except ssl.SSLError as error:
        # An alert is an answer in TLS; a server may well refuse us here, who show nothing.
        if "ALERT" in (error.reason or ""):
            return
        raise Unavailable(f"{where} does not speak TLS", hint="name the port of its HTTPS listener") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Unavailable(f"{where} does not answer: {reason}", hint="start the server, or mend HOST:PORT") from None


def _visitor(case: Case, pair: tuple[str, str]) -> Visitor:
    chain = pem.certificates(pair[0].encode(), "the certificate")
    if not chain:
        raise Malformed("the certificate: holds none", hint="give a PEM file with the certificate and its issuer's")
    return Visitor(case, chain[0].subject.rfc4514_string(), pair[0], pair[1], chain[0].serial_number)


def _row(door: Door, visitor: Visitor, expected: str) -> Row:
    """Every TLS version that the server has; not having one is no fault."""
    seen = {version: door.visit(Visit(visitor, version)) for version in VERSIONS}
    had = {version: one for version, one in seen.items() if not _lacks_version(one)} or seen
    right = [one.outcome is Outcome.ADMITTED if expected == LET_IN else _is_refusal(one) for one in had.values()]
    return Row(
        title=TITLES[visitor.case],
        expected=expected,
        observed=" / ".join(dict.fromkeys(one.words for one in had.values())),
        as_expected=all(right),
        tls=" ".join(short_version(version) for version in had),
        identity=next((one.identity for one in had.values() if one.identity), ""),
        seconds=sum(one.seconds for one in had.values()) / len(had),
        case=visitor.case,
    )


def _lacks_version(seen: Observation) -> bool:
    return "protocol version" in seen.words


def _is_refusal(seen: Observation) -> bool:
    return seen.outcome in {Outcome.REFUSED, Outcome.CLOSED} and not seen.words.startswith("client:")


def _resumed(door: Door, visitor: Visitor) -> list[Row]:
    """Whether it resumes at all: one that does not cannot let a revoked client back in."""
    rows = []
    for version in VERSIONS:
        first = door.visit(Visit(visitor, version))
        if first.outcome is not Outcome.ADMITTED:
            continue
        again = door.visit(Visit(visitor, version, first.session)) if first.session else first
        note = (
            "it resumes sessions: see that a revoked client cannot; handfast config renders how"
            if again.resumed
            else ""
        )
        words = "resumed" if again.resumed else "full handshake again"
        rows.append(
            Row("user, coming back", LET_IN, words, True, tls=short_version(version), seconds=again.seconds, note=note)
        )
    return rows
