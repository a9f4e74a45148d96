"""The throw-away PKI of a proof: a root, an issuing CA, a server, and every visitor that one must tell apart."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from handfast.targets.contract import Case


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who knocks: the certificates as sent (PEM, leaf first) and the key (PEM); both "" for no certificate.

    serial and not_after are the leaf's. case says what a right server does.
    """

    case: Case
    name: str
    chain: str
    key: str
    serial: int = 0
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain (PEM, leaf first) with its key (PEM)."""

    chain: str
    key: str


@dataclass(frozen=True, slots=True)
class ThrowAwayPki:
    """Everything that a proof needs, in memory. PEM throughout; `crls` are the root's and the issuing CA's.

    server_name is what the server certificates are for. bad_servers: certificates that a client must refuse, by name.
    crls: none of the visitors revoked yet. revoke(serials): the CRLs anew, with these serial numbers of the issuing CA.
    revoke_at(moment, serials): the same, as if published at that moment.
    expiring(name, lifetime): a visitor who is welcome from now until then.
    """

    server_name: str
    root: str
    issuing: str
    foreign_root: str
    server: Pair
    bad_servers: Mapping[str, Pair]
    visitors: Mapping[Case, Visitor]
    crls: str
    revoke: Callable[[Iterable[int]], str]
    revoke_at: Callable[[datetime, Iterable[int]], str]
    expiring: Callable[[str, timedelta], Visitor]
