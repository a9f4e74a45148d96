"""A revocation list as a value that answers fast: its fields, and an index over its entries (RFC 5280 section 5).

The index is one unsigned 64-bit number an entry, sorted: 32 bits of a keyed hash of the serial (and, in an indirect
list, of the issuer), then the entry's place in the DER. A list of a million entries so takes 8 MB beside its own
35 MB, is built once, and answers with a binary search.
"""

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.errors import Malformed
from handfast.validate.der import BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, inside, read
from handfast.validate.distinguished_names import Key, name_key, readable_name
from handfast.validate.revocation.extensions import UNREADABLE

MAXIMUM_BYTES = 256 * 1024 * 1024
# Entries for one serial that are looked at: an honest list has one, and a delta at most two.
MAXIMUM_DUPLICATES = 64

_REASON = bytes.fromhex("0603551d15")
# An entry's extensions when they are a reason and nothing else: all but the last octet.
_REASON_ONLY = bytes.fromhex("300c300a0603551d1504030a01")
_INVALIDITY_DATE = bytes.fromhex("0603551d18")
_CERTIFICATE_ISSUER = bytes.fromhex("0603551d1d")
_HOLD_INSTRUCTION = bytes.fromhex("0603551d17")
_NUMBER, _DELTA = "2.5.29.20", "2.5.29.27"
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_KNOWN = (_REASON, _INVALIDITY_DATE, _CERTIFICATE_ISSUER, _HOLD_INSTRUCTION)
_REASONS = {
    0: x509.ReasonFlags.unspecified,
    1: x509.ReasonFlags.key_compromise,
    2: x509.ReasonFlags.ca_compromise,
    3: x509.ReasonFlags.affiliation_changed,
    4: x509.ReasonFlags.superseded,
    5: x509.ReasonFlags.cessation_of_operation,
    6: x509.ReasonFlags.certificate_hold,
    8: x509.ReasonFlags.remove_from_crl,
    9: x509.ReasonFlags.privilege_withdrawn,
    10: x509.ReasonFlags.aa_compromise,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One revoked certificate: when, and why (None: the list does not say)."""

    serial: int
    revoked_at: datetime
    reason: x509.ReasonFlags | None


@dataclass(frozen=True, slots=True)
class EntryIndex:
    """Where in the DER each entry stands; `unknown_critical` is the first entry extension that cannot be processed.

    `issuers` are the keys of the names (`distinguished_names.name_key`) that govern the entries from each of
    `issuer_starts` on; the first, empty, stands for the issuer of the list itself (RFC 5280 section 5.3.3).
    """

    data: bytes
    keys: "array[int]"
    issuer_starts: "array[int]"
    issuers: tuple[tuple[Key, ...], ...]
    unknown_critical: str | None

    def __len__(self) -> int:
        return len(self.keys)

    def may_have(self, serial: int) -> bool:
        """False when no entry has this serial; True when find() has to look. For lists of one issuer only."""
        low = (hash(_integer(serial)) & 0xFFFFFFFF) << 32
        keys = self.keys
        at = bisect_left(keys, low)
        return at < len(keys) and keys[at] <= low | 0xFFFFFFFF

    def find(self, serial: int, issuer: Key = ()) -> Entry | None:
        """The entry for this serial, or None.

        issuer: the key of the name of the certificate's issuer, where another than it issued the list; else empty.
        """
        content = _integer(serial)
        low = (hash((content, issuer) if issuer else content) & 0xFFFFFFFF) << 32
        keys = self.keys
        at = bisect_left(keys, low)
        stop = min(len(keys), at + MAXIMUM_DUPLICATES)
        while at < stop and keys[at] <= low | 0xFFFFFFFF:
            place = keys[at] & 0xFFFFFFFF
            if self._is(place, content, issuer):
                return _read_entry(self.data, place, serial)
            at += 1
        return None

    def _is(self, place: int, content: bytes, issuer: Key) -> bool:
        data = self.data
        _, start, stop = read(data, place, len(data))
        _, serial_start, serial_stop = read(data, start, stop)
        return data[serial_start:serial_stop] == content and issuer in self._issuers_at(place)

    def _issuers_at(self, place: int) -> tuple[Key, ...]:
        return self.issuers[bisect_right(self.issuer_starts, place)]


class Signed(NamedTuple):
    """Where the part of the list that is signed stands; how it is signed, in DER, outside and inside; the signature."""

    start: int
    stop: int
    algorithm: bytes
    inner_algorithm: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, eq=False)
class LoadedCRL:
    """A CRL, parsed once. Nothing here says that it is genuine: that is for `crl.check`, which remembers it here."""

    crl: x509.CertificateRevocationList
    der: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    extensions: dict[str, x509.Extension[x509.ExtensionType]]
    entries_at: tuple[int, int]
    signed: Signed
    title: str
    source: str = "CRL"
    memory: dict[str, EntryIndex] = field(default_factory=dict, repr=False)
    verified: dict[tuple[bytes, bytes], bool] = field(default_factory=dict, repr=False)

    @property
    def index(self) -> EntryIndex:
        """The index over the entries, built on first use; a race builds it twice, and both are the same."""
        if "index" not in self.memory:
            self.memory["index"] = _build_index(self.crl, self.der, *self.entries_at)
        return self.memory["index"]

    @property
    def number(self) -> int | None:
        """The CRL number (RFC 5280 section 5.2.3)."""
        found = self.extensions.get(_NUMBER)
        return found.value.crl_number if found and isinstance(found.value, x509.CRLNumber) else None

    @property
    def base_number(self) -> int | None:
        """The base CRL number when this is a delta CRL, else None (RFC 5280 section 5.2.4)."""
        found = self.extensions.get(_DELTA)
        return found.value.crl_number if found and isinstance(found.value, x509.DeltaCRLIndicator) else None

    @property
    def distribution_point(self) -> x509.IssuingDistributionPoint | None:
        """The issuing distribution point (RFC 5280 section 5.2.5)."""
        found = self.extensions.get("2.5.29.28")
        return found.value if found and isinstance(found.value, x509.IssuingDistributionPoint) else None

    @property
    def authority_key_identifier(self) -> bytes | None:
        """The key identifier of the key that signed it, when the list says (RFC 5280 section 5.2.1)."""
        found = self.extensions.get("2.5.29.35")
        return found.value.key_identifier if found and isinstance(found.value, x509.AuthorityKeyIdentifier) else None


def load_crl(data: bytes, *, source: str = "CRL") -> LoadedCRL:
    """A CRL from DER or PEM; `source` names it in messages. Raises Malformed. Checks no signature."""
    if len(data) > MAXIMUM_BYTES:
        raise Malformed(f"{source}: over {MAXIMUM_BYTES} bytes", hint="ask the CA for a partitioned list")
    try:
        if data[:1] != b"\x30":
            parsed = x509.load_pem_x509_crl(data)
            return from_cryptography(parsed, source=source)
        return _loaded(x509.load_der_x509_crl(data), data, source)
    except UNREADABLE as error:
        raise Malformed(f"{source}: not a CRL: {error}", hint="give a CRL (RFC 5280) in DER or PEM") from error


def from_cryptography(crl: x509.CertificateRevocationList, *, source: str = "CRL") -> LoadedCRL:
    """The same from an object of cryptography's. Raises Malformed."""
    try:
        return _loaded(crl, crl.public_bytes(Encoding.DER), source)
    except UNREADABLE as error:
        raise Malformed(f"{source}: not a CRL: {error}", hint="give a CRL (RFC 5280) in DER or PEM") from error


def _loaded(crl: x509.CertificateRevocationList, data: bytes, source: str) -> LoadedCRL:
    start, end = inside(data, SEQUENCE)
    _, tbs_start, tbs_end = read(data, start, end)
    algorithm_end = read(data, tbs_end, end)[2]
    issuer_at, inner = _inner_algorithm(data, tbs_start, tbs_end)
    signature = data[read(data, algorithm_end, end)[1] + 1 : end]
    issuer = data[issuer_at : read(data, issuer_at, tbs_end)[2]]
    extensions = {extension.oid.dotted_string: extension for extension in crl.extensions}
    return LoadedCRL(
        crl=crl,
        der=data,
        issuer=issuer,
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
        extensions=extensions,
        entries_at=_entries_at(data, tbs_start, tbs_end),
        signed=Signed(start, tbs_end, data[tbs_end:algorithm_end], inner, signature),
        title=_title(extensions, issuer),
        source=source,
    )


def _title(extensions: dict[str, x509.Extension[x509.ExtensionType]], issuer: bytes) -> str:
    """The list in words."""
    kind = "delta CRL" if _DELTA in extensions else "CRL"
    number = extensions[_NUMBER].value if _NUMBER in extensions else None
    which = f" number {number.crl_number}" if isinstance(number, x509.CRLNumber) else ""
    return f"{kind}{which} of {readable_name(issuer)}"


def _inner_algorithm(data: bytes, at: int, end: int) -> tuple[int, bytes]:
    """Where the issuer's name stands, and the algorithm before it: the first element, or after a version the second."""
    tag, _, stop = read(data, at, end)
    if tag == INTEGER:
        at, stop = stop, read(data, stop, end)[2]
    return stop, data[at:stop]


def _entries_at(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Where revokedCertificates' entries begin and end: the SEQUENCE that follows the times; (0, 0) when absent."""
    seen_time = False
    while at < end:
        tag, start, at = read(data, at, end)
        if tag in {_UTC_TIME, _GENERALIZED_TIME}:
            seen_time = True
        elif seen_time:
            return (start, at) if tag == SEQUENCE else (0, 0)
    return 0, 0


def _build_index(crl: x509.CertificateRevocationList, data: bytes, at: int, end: int) -> EntryIndex:
    """One pass over the entries, without a call for entries of the common forms (cryptography checked their DER)."""
    keys: list[int] = []
    starts: array[int] = array("Q")
    issuers: list[tuple[Key, ...]] = [((),)]
    unknown: str | None = None
    entries, add = 0, keys.append
    while at < end:
        length = data[at + 1]
        if length < 0x80 and data[at + 3] < 0x80:
            stop, serial = at + 2 + length, at + 4
            after = serial + data[at + 3]
        else:
            _, body, stop = read(data, at, end)
            _, serial, after = read(data, body, stop)
        extensions = after + 2 + data[after + 1]
        if extensions < stop and data[extensions : extensions + 13] != _REASON_ONLY:
            critical, changes = _entry_extensions(data, extensions, stop)
            unknown = unknown or critical
            if changes:
                starts.append(at)
                issuers.append(_certificate_issuers(crl[entries]))
        content = data[serial:after]
        if len(issuers) == 1:
            add((hash(content) & 0xFFFFFFFF) << 32 | at)
        else:
            keys.extend([(hash((content, issuer)) & 0xFFFFFFFF) << 32 | at for issuer in issuers[-1]])
        entries += 1
        at = stop
    keys.sort()
    return EntryIndex(data, array("Q", keys), starts, tuple(issuers), unknown)


def _certificate_issuers(entry: x509.RevokedCertificate) -> tuple[Key, ...]:
    try:
        names = entry.extensions.get_extension_for_class(x509.CertificateIssuer).value
        return tuple(name_key(name.public_bytes()) for name in names.get_values_for_type(x509.DirectoryName))
    except (x509.ExtensionNotFound, *UNREADABLE) as error:
        raise Malformed("a CRL entry names no issuer", hint="obtain the CRL again: it is damaged") from error


def _entry_extensions(data: bytes, at: int, end: int) -> tuple[str | None, bool]:
    """(unknown critical extension or None, whether a certificateIssuer stands here)."""
    unknown, issuer = None, False
    for oid, critical, _, _ in _walk_extensions(data, at, end):
        issuer = issuer or oid == _CERTIFICATE_ISSUER
        if critical and oid not in _KNOWN:
            unknown = oid[2:].hex()
    return unknown, issuer


def _walk_extensions(data: bytes, at: int, end: int) -> list[tuple[bytes, bool, int, int]]:
    found = []
    _, at, end = read(data, at, end)
    while at < end:
        _, inner, stop = read(data, at, end)
        oid, critical, value = b"", False, (stop, stop)
        while inner < stop:
            tag, start, after = read(data, inner, stop)
            if tag == OBJECT_IDENTIFIER:
                oid = data[inner:after]
            elif tag == BOOLEAN:
                critical = data[start:after] != b"\x00"
            elif tag == OCTET_STRING:
                value = (start, after)
            inner = after
        found.append((oid, critical, *value))
        at = stop
    return found


def _read_entry(data: bytes, place: int, serial: int) -> Entry:
    _, start, stop = read(data, place, len(data))
    _, _, after = read(data, start, stop)
    tag, time_start, time_stop = read(data, after, stop)
    reason = None
    if time_stop < stop:
        for oid, _, value_start, value_end in _walk_extensions(data, time_stop, stop):
            if oid == _REASON and value_end > value_start:
                reason = _REASONS.get(data[value_end - 1], x509.ReasonFlags.unspecified)
    return Entry(serial, _time(tag, data[time_start:time_stop]), reason)


def _time(tag: int, value: bytes) -> datetime:
    """A UTCTime or GeneralizedTime in the form that RFC 5280 section 5.1.2.6 allows; raises Malformed."""
    try:
        text = value.decode("ascii")
        if tag == _UTC_TIME:
            text = ("20" if int(text[:2]) < 50 else "19") + text
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Malformed("a revocation date is no time", hint="obtain the CRL again: it is damaged") from error


def _integer(value: int) -> bytes:
    """The content octets of an INTEGER."""
    size = ((value if value >= 0 else ~value).bit_length() // 8) + 1
    return value.to_bytes(size, "big", signed=True)
