"""The loop that one would write with cryptography alone: the same files and durability, nothing checked or recorded.

usage: _bare.py FOLDER COUNT JOBS
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def write(path: Path, data: bytes) -> None:
    """By a temporary file, fsync and rename, as whoever must not lose a key does."""
    temporary = path.with_suffix(path.suffix + ".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def issue(folder: Path, first: int, last: int, ca_key: bytes) -> None:
    """Key, request, certificate and files of each device in turn."""
    signer = serialization.load_der_private_key(ca_key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bare")])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    for number in range(first, last):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"device-{number:06}")])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        assert request.is_signature_valid
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(issuer)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=90))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(USAGE, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
            .add_extension(authority, critical=False)
            .sign(signer, hashes.SHA256())
        )
        home = folder / f"device-{number:06}"
        home.mkdir()
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write(home / "key.pem", private)
        write(home / "cert.pem", certificate.public_bytes(pem))
        sync(home)


def main() -> None:
    """Issue COUNT devices with JOBS processes."""
    folder, count, jobs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True)
    ca_key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if jobs == 1:
        issue(folder, 0, count, ca_key)
        return
    with ProcessPoolExecutor(jobs) as pool:
        edges = [count * job // jobs for job in range(jobs + 1)]
        list(pool.map(issue, [folder] * jobs, edges, edges[1:], [ca_key] * jobs))


if __name__ == "__main__":
    main()
