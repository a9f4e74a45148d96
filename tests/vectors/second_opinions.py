"""What cryptography's verifier and the openssl command say of a case."""

import base64
import subprocess
import textwrap
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.x509 import verification

from handfast.pki.names import NameKind
from handfast.validate import Level
from handfast.validate.policy import ANY_POLICY
from handfast.validate.revocation import RevocationMode
from tests.vectors.corpora import Case

TIMEOUT = 60


def by_cryptography(case: Case) -> bool:
    """Its verifier with its defaults; it knows no CRLs, policies or directory names, which are left out."""
    try:
        store = verification.Store([x509.load_der_x509_certificate(each) for each in case.anchors])
        builder = verification.PolicyBuilder().store(store).time(case.at.replace(tzinfo=None))
        builder = builder.max_chain_depth(min(case.policy.max_intermediates, 255))
        leaf = x509.load_der_x509_certificate(case.leaf)
        sent = [x509.load_der_x509_certificate(each) for each in case.intermediates]
        if case.policy.purpose.name != "server":
            builder.build_client_verifier().verify(leaf, sent)
        else:
            builder.build_server_verifier(_subject(case)).verify(leaf, sent)
    except (verification.VerificationError, ValueError, TypeError):
        return False
    return True


def _subject(case: Case) -> x509.DNSName | x509.IPAddress:
    (name,) = case.policy.names or (None,)
    if name is None:
        return x509.DNSName("example.com")
    return x509.IPAddress(ip_address(name.value)) if name.kind is NameKind.IP else x509.DNSName(name.value)


def by_openssl(case: Case, program: str, folder: Path) -> bool:
    """`openssl verify` with purpose, name, CRLs and policies as the case has them; strict where the level is."""
    files = {"anchors": case.anchors, "sent": case.intermediates, "crls": case.crls, "leaf": [case.leaf]}
    for name, contents in files.items():
        kind = "X509 CRL" if name == "crls" else "CERTIFICATE"
        (folder / name).write_text("".join(pem(each, kind) for each in contents), encoding="ascii")
    command = [program, "verify", "-attime", str(int(case.at.timestamp())), "-no-CApath", "-no-CAstore"]
    # Signers of CRLs are found in -CAfile only, not in -trusted.
    command += ["-CAfile", str(folder / "anchors"), *_asked(case)]
    command += ["-untrusted", str(folder / "sent")] if case.intermediates else []
    if case.policy.revocation.mode is RevocationMode.REQUIRE:
        command += [
            "-crl_check" if case.policy.revocation.leaf_only else "-crl_check_all",
            "-extended_crl",
            "-use_deltas",
        ]
        command += ["-CRLfile", str(folder / "crls")]
    done = subprocess.run([*command, str(folder / "leaf")], capture_output=True, timeout=TIMEOUT, check=False)
    return done.returncode == 0


def pem(data: bytes, kind: str) -> str:
    """DER as PEM, also of what cryptography does not parse."""
    text = "\n".join(textwrap.wrap(base64.b64encode(data).decode("ascii"), 64))
    return f"-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n"


def _asked(case: Case) -> list[str]:
    policy = case.policy
    found = ["-x509_strict"] if policy.level is Level.STRICT else []
    found += ["-verify_depth", str(policy.max_intermediates)] if policy.max_intermediates != 8 else []
    if policy.purpose.name in {"server", "client"}:
        found += ["-purpose", f"ssl{policy.purpose.name}"]
    for name in policy.names:
        option = {NameKind.IP: "-verify_ip", NameKind.EMAIL: "-verify_email"}.get(name.kind, "-verify_hostname")
        found += [option, name.value]
    for each in sorted(policy.policies or (ANY_POLICY,)):
        found += ["-policy", each]
    marks = {
        "-explicit_policy": policy.require_explicit_policy,
        "-inhibit_map": policy.inhibit_policy_mapping,
        "-inhibit_any": policy.inhibit_any_policy,
    }
    return found + [option for option, is_set in marks.items() if is_set]
