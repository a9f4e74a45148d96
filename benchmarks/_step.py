"""step-ca, with its default database, and the one-time tokens of its JWK provisioner (RFC 7519)."""

import base64
import hashlib
import json
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from benchmarks._cfssl import _free_port, _wait_for
from benchmarks._measure import cost_of, handfast
from handfast.pki.pem import to_pem

_PROVISIONER = "benchmark"


@contextmanager
def serving(place: Path) -> Iterator[tuple["subprocess.Popen[bytes]", tuple[str, int], Path]]:
    """A CA of ours in its hands, and a provisioner whose key we hold."""
    ca = place / "ca"
    cost_of(handfast("init", str(ca), "--no-passphrase"))
    key = ec.generate_private_key(ec.SECP256R1())
    (place / "provisioner.pem").write_text(to_pem(key))
    port = _free_port()
    config = {
        "root": str(ca / "certificates" / "root.pem"),
        "crt": str(ca / "certificates" / "issuing.pem"),
        "key": str(ca / "keys" / "issuing.key"),
        "address": f"127.0.0.1:{port}",
        "dnsNames": ["localhost", "127.0.0.1"],
        "logger": {"format": "text"},
        "db": {"type": "badgerv2", "dataSource": str(place / "db")},
        "authority": {"provisioners": [{"type": "JWK", "name": _PROVISIONER, "key": _jwk(key)}]},
    }
    (place / "ca.json").write_text(json.dumps(config))
    (place / "port").write_text(str(port))
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(["step-ca", "ca.json"], stdout=log, stderr=log, cwd=place)
    try:
        _wait_for(port, process)
        yield process, ("127.0.0.1", port), ca / "certificates" / "root.pem"
    finally:
        process.terminate()
        process.wait()


def requests(place: Path, csrs: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """Each with a token of its own."""
    key = load_pem_private_key((place / "provisioner.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    root = x509.load_pem_x509_certificate((place / "ca" / "certificates" / "root.pem").read_bytes())
    fingerprint = root.fingerprint(hashes.SHA256()).hex()
    port = (place / "port").read_text()
    found = []
    for name, der in csrs:
        now = int(time.time())
        claims = {
            "sub": name, "sans": [name], "iss": _PROVISIONER, "aud": f"https://localhost:{port}/1.0/sign",
            "iat": now, "nbf": now - 60, "exp": now + 3600, "jti": uuid.uuid4().hex, "sha": fingerprint,
        }  # fmt: skip
        pem = x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()
        body = json.dumps({"csr": pem, "ott": _token(key, claims)}).encode()
        head = (
            f"POST /1.0/sign HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


def _token(key: ec.EllipticCurvePrivateKey, claims: dict[str, Any]) -> str:
    head = {"alg": "ES256", "kid": _jwk(key)["kid"], "typ": "JWT"}
    signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """RFC 7517, with the thumbprint of RFC 7638 as its name."""
    numbers = key.public_key().public_numbers()
    x, y = (_encoded(one.to_bytes(32, "big")) for one in (numbers.x, numbers.y))
    thumb = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"), sort_keys=True)
    kid = _encoded(hashlib.sha256(thumb.encode()).digest())
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
