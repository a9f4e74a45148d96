"""A Wi-Fi client that visits an EAP server: wpa_supplicant's own code, as `eapol_test`, over RADIUS (RFC 5216)."""

import re
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from handfast.prove.process import run
from handfast.prove.program import Observation, Outcome, Visit

SHARED = "proof-of-handfast"
_ALERT = re.compile(r"remote end reported an error\):fatal:([^\n]*)")
_OWN = re.compile(r"CTRL-EVENT-EAP-TLS-CERT-ERROR[^\n]*err='([^']*)'")
_VERSION = re.compile(r"SSL: Using TLS version (\S+)")
_ACCEPT = "code=2 (Access-Accept)"
_IDENTITY = re.compile(r"Attribute 1 \(User-Name\) length=\d+\n\s*Value: '([^']*)'")
_PHASE_1 = {
    None: "tls_disable_tlsv1_3=0",
    ssl.TLSVersion.TLSv1_2: "tls_disable_tlsv1_3=1",
    # All of them, since OpenSSL takes the lowest of versions with a gap.
    ssl.TLSVersion.TLSv1_3: "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=0",
}


@dataclass(frozen=True, slots=True)
class Radius:
    """The server's address, and what a careful client checks it against. through: a command that runs another."""

    address: tuple[str, int]
    server_name: str
    root: str
    through: tuple[str, ...] = ()

    def visit(self, visit: Visit) -> Observation:
        """Log in twice: the second time, the session is resumed if the server lets it."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hf-") as name:
            directory = Path(name)
            host, port = self.address
            self._write(visit, directory)
            command = ("eapol_test", "-c", "network.conf", "-a", host, "-p", str(port), "-s", SHARED, "-t", "10", "-r1")
            done = run((*self.through, *command), directory=directory, patience=40.0)
        return observation(done.stdout, time.monotonic() - began)

    def _write(self, visit: Visit, directory: Path) -> None:
        (directory / "root.pem").write_text(visit.trust or self.root, encoding="ascii")
        (directory / "client.pem").write_text(visit.visitor.chain, encoding="ascii")
        (directory / "client.key").write_text(visit.visitor.key, encoding="ascii")
        method = _TLS if visit.visitor.chain else _OTHER_METHODS
        text = method.format(
            name=visit.visitor.name, server=visit.server_name or self.server_name, phase1=_PHASE_1[visit.version]
        )
        (directory / "network.conf").write_text(text, encoding="utf-8")


_TLS = """\
network={{
    key_mgmt=IEEE8021X
    eap=TLS
    identity="anonymous"
    ca_cert="root.pem"
    domain_match="{server}"
    client_cert="client.pem"
    private_key="client.key"
    phase1="{phase1}"
    eapol_flags=0
}}
"""

# EAP-TLS does not even begin without a certificate: who has none asks for a method with a password.
_OTHER_METHODS = """\
network={{
    key_mgmt=IEEE8021X
    eap=TTLS PEAP
    identity="{name}"
    password="nothing"
    ca_cert="root.pem"
    phase1="{phase1}"
    eapol_flags=0
}}
"""


def observation(said: str, seconds: float) -> Observation:
    """What eapol_test's words come to."""
    own, alert, version = _OWN.search(said), _ALERT.search(said), _VERSION.findall(said)
    tls = version[-1] if version else ""
    if said.rstrip().endswith("SUCCESS"):
        names = _IDENTITY.findall(said.rpartition(_ACCEPT)[2])
        resumed = "resumed=1" in said
        return Observation(
            Outcome.ADMITTED, "EAP success", tls, resumed, identity=names[-1] if names else "", seconds=seconds
        )
    if own:
        return Observation(Outcome.REFUSED, f"client: {own[1].lower()}", tls, seconds=seconds)
    if alert:
        return Observation(Outcome.REFUSED, f"alert {alert[1].strip().lower()}", tls, seconds=seconds)
    if "CTRL-EVENT-EAP-FAILURE" in said:
        return Observation(Outcome.REFUSED, "EAP failure", tls, seconds=seconds)
    return Observation(Outcome.UNREACHABLE, "no answer from the RADIUS server", tls, seconds=seconds)
