"""Follow an authority's feed: what is revoked, known within a fraction of a second, and held against signed CRLs."""

import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509

from handfast.errors import ConfigError, Malformed, Refused, Unavailable
from handfast.pki.pem import to_pem
from handfast.protocols.feed import CURSOR, LONGEST_WAIT, MOST, PATH
from handfast.tls.revocations import IssuerList, Revocations, load_revocations

# Beyond the longest wait that the service grants.
_PATIENCE = LONGEST_WAIT + 30.0
_REMOVED = "removeFromCRL"
_HINT = "look whether the service runs, and whether the address is right; what is known stays in force"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the feed. revoked_at: aware UTC."""

    id: int
    issuer: str
    serial: int
    reason: str
    revoked_at: datetime

    @property
    def is_in_force(self) -> bool:
        """False for the end of a hold."""
        return self.reason != _REMOVED


def told(line: str) -> Told:
    """A line of the feed. Raises Malformed."""
    try:
        found = json.loads(line)
        at = datetime.strptime(found["revoked_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return Told(int(found["id"]), str(found["issuer"]), int(found["serial"], 16), str(found["reason"]), at)
    except (ValueError, KeyError, TypeError) as error:
        msg = f"the feed says something that cannot be read: {error}"
        raise Malformed(msg, hint="look whether the address is that of handfast, and upgrade it here") from error


@dataclass(slots=True, kw_only=True)
class Follower:
    """What is revoked now, as a relying party needs it. Not for use by several threads at once.

    url: of the service, https. issuers: the names of its CAs whose certificates come here. cas: the certificates of
    those who sign the lists, and of those above them. stale_after: refuse everybody when the feed could not be had for
    so long; None: go by the lists' own nextUpdate.
    """

    url: str
    issuers: tuple[str, ...]
    cas: Sequence[x509.Certificate]
    context: ssl.SSLContext
    stale_after: timedelta | None = None
    cursor: int = 0
    heard_at: datetime | None = None
    crls: Mapping[str, x509.CertificateRevocationList] = field(default_factory=dict)
    _lists: Mapping[str, IssuerList] = field(default_factory=dict)
    _news: dict[tuple[str, int], Told] = field(default_factory=dict)

    def begin(self, now: datetime) -> None:
        """Fetch the signed lists, and follow from before they were made. Raises Unavailable, Refused, Unacceptable."""
        _, headers = self._get(f"{PATH}?after=now")
        self._news.clear()
        # What was revoked a moment ago may be in no list yet: being told of it twice does no harm.
        self.cursor = max(_cursor(headers) - MOST, 0)
        self.check(now)

    def check(self, now: datetime) -> None:
        """Fetch the signed lists again: what they say holds, but for what was told after they were made.

        Raises Unavailable, Refused, Malformed, Unacceptable; then all stays as it was.
        """
        crls = {name: self._crl(name) for name in self.issuers}
        lists = {}
        for name, crl in crls.items():
            revocations = load_revocations(to_pem(crl), self.cas)
            lists[name] = next(iter(revocations.lists.values()))
        self.crls, self._lists, self.heard_at = crls, lists, now
        for key, one in list(self._news.items()):
            if one.issuer in crls and one.revoked_at <= crls[one.issuer].last_update_utc:
                del self._news[key]

    def wait(self, now: datetime, *, seconds: int = LONGEST_WAIT) -> tuple[Told, ...]:
        """Wait for news; what is new. now: when it began to wait. Raises Unavailable, Refused, Malformed.

        Refused with the code 409 means that the store was restored: begin() anew.
        """
        body, headers = self._get(f"{PATH}?after={self.cursor}&wait={seconds}")
        found = tuple(told(line) for line in body.decode("utf-8", "replace").splitlines())
        for one in found:
            self._news[one.issuer, one.serial] = one
        self.cursor, self.heard_at = _cursor(headers), now
        return tuple(one for one in found if one.issuer in self.issuers)

    @property
    def serials(self) -> Mapping[str, frozenset[int]]:
        """What is revoked or held, by the issuer's name."""
        found = {}
        for name, listed in self._lists.items():
            news = [one for one in self._news.values() if one.issuer == name]
            gone = {one.serial for one in news if not one.is_in_force}
            found[name] = listed.serials - gone | {one.serial for one in news if one.is_in_force}
        return found

    def revocations(self) -> Revocations:
        """The same for handfast's own TLS server. Fails closed, as the lists and stale_after say."""
        lists = {}
        for name, serials in self.serials.items():
            listed = self._lists[name]
            ends = [listed.next_update]
            if self.stale_after is not None and self.heard_at is not None:
                ends.append(self.heard_at + self.stale_after)
            entry = IssuerList(listed.issuer, serials, min(ends), listed.is_dead)
            lists[listed.issuer.public_bytes()] = entry
        return Revocations(lists)

    def _crl(self, name: str) -> x509.CertificateRevocationList:
        body, _ = self._get(f"/crl/{name}.crl")
        try:
            return x509.load_der_x509_crl(body)
        except ValueError as error:
            raise Malformed(f"the list of {name} cannot be read", hint=_HINT) from error

    def _get(self, path: str) -> tuple[bytes, Mapping[str, str]]:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname:
            msg = f"the service's address must be an https URL, not {self.url!r}"
            raise ConfigError(msg, hint="write https://ca.example.org:8443")
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=self.context, timeout=_PATIENCE)
        try:
            connection.request("GET", parts.path.rstrip("/") + path, headers={"User-Agent": "handfast"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            msg = f"{self.url} does not answer: {error or type(error).__name__}"
            raise Unavailable(msg, hint=_HINT) from error
        finally:
            connection.close()
        if response.status != 200:
            msg = f"{self.url}{path} answered {response.status} {response.reason}"
            raise Refused(msg, hint=_HINT, code=str(response.status))
        return body, {key.lower(): value for key, value in response.getheaders()}


def _cursor(headers: Mapping[str, str]) -> int:
    text = headers.get(CURSOR.lower(), "")
    if not (text.isascii() and text.isdecimal()):
        raise Malformed("the feed names no cursor", hint="look whether the address is that of handfast")
    return int(text)
