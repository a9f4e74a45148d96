"""What one would write with cryptography and SQLite alone: read a request, prove it, sign, put it on disk.

No HTTP, nobody asked who they are, nothing checked, no record before the signature.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from benchmarks._bare import USAGE

_TABLE = "CREATE TABLE certificate (serial BLOB PRIMARY KEY, name TEXT, not_after INTEGER, der BLOB)"
_ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bare")])


def rate(place: Path, requests: Sequence[bytes], group: int) -> float:
    """Certificates per second of CPU, so many of them in one transaction."""
    key = ec.generate_private_key(ec.SECP256R1())
    with closing(sqlite3.connect(place, isolation_level=None)) as database:
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", _TABLE):
            database.execute(statement)
        began = time.process_time()
        for start in range(0, len(requests), group):
            rows = [_row(issue(one, key)) for one in requests[start : start + group]]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO certificate VALUES (?, ?, ?, ?)", rows)
            database.execute("COMMIT")
        return len(requests) / (time.process_time() - began)


def issue(data: bytes, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """The certificate that is asked for."""
    request = x509.load_der_x509_csr(data)
    if not request.is_signature_valid:
        raise SystemExit("the request is not signed by its own key")
    now, public_key = datetime.now(UTC), request.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(_ISSUER)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
    )
    for extension, critical in _extensions(request, public_key, key):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())


def _extensions(
    request: x509.CertificateSigningRequest, public_key: object, key: ec.EllipticCurvePrivateKey
) -> Iterator[tuple[x509.ExtensionType, bool]]:
    yield x509.BasicConstraints(ca=False, path_length=None), True
    yield USAGE, True
    yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False
    yield x509.SubjectKeyIdentifier.from_public_key(public_key), False  # type: ignore[arg-type]  # the request's
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False
    yield request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, False


def _row(certificate: x509.Certificate) -> tuple[object, ...]:
    name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    serial = certificate.serial_number.to_bytes(20, "big")
    end = int(certificate.not_valid_after_utc.timestamp())
    return serial, name, end, certificate.public_bytes(serialization.Encoding.DER)
