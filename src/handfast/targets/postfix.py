"""Postfix: only who shows a certificate may deliver or relay (STARTTLS, RFC 3207); revocation by fingerprint."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    Case,
    CrlForm,
    CrlScope,
    Group,
    Identity,
    Level,
    Refusal,
    RenderedFile,
    Setting,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block, heading

CONFIG = "main.cf.mtls"
DENIED = "denied-fingerprints"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """Lines for main.cf, and the list of fingerprints that are refused."""
    parts = [
        heading(f"Mutual TLS for {setting.name}. Goes to the end of main.cf: Postfix includes no files."),
        _section(
            "Our own key and certificate, followed by its intermediates.",
            [f"smtpd_tls_chain_files = {setting.key}, {setting.certificate}"],
        ),
        _section(f"Mozilla Server Side TLS 6.0, {setting.level}.", _tls(setting)),
        _section(
            "Who may come: holders of a certificate below these roots. Clients send their intermediates. With this,\n"
            "other mail servers cannot deliver here: keep it to a server for your own people and machines.",
            ["smtpd_tls_req_ccert = yes", f"smtpd_tls_CAfile = {setting.client_ca}"],
        ),
        _section(
            "A resumed session is not checked against the clock: an expired client would come back with it.",
            ["tls_ssl_options = NO_TICKET"],
        ),
        _section(
            "Postfix reads no CRL. Certificates in this list are refused, by the SHA-256 fingerprint; the others may\n"
            "relay.",
            [
                "smtpd_tls_fingerprint_digest = sha256",
                f"smtpd_relay_restrictions = check_ccert_access texthash:{setting.file(DENIED)},",
                "    permit_tls_all_clientcerts, reject",
            ],
        ),
    ]
    return (
        RenderedFile(setting.file(CONFIG), "".join(parts).rstrip("\n") + "\n", comment="the end of main.cf"),
        RenderedFile(setting.file(DENIED), _DENIED, comment="fingerprints that are refused"),
    )


def _section(comment: str, lines: list[str]) -> str:
    return block(comment, lines, indent="")


def _tls(setting: Setting) -> list[str]:
    lines = [
        "smtpd_tls_security_level = encrypt",
        f"smtpd_tls_mandatory_protocols = >={mozilla.VERSIONS[setting.level][0]}",
    ]
    if setting.level is Level.INTERMEDIATE:
        lines += ["smtpd_tls_mandatory_ciphers = high", f"tls_high_cipherlist = {':'.join(mozilla.CIPHERS)}"]
    return lines


_DENIED = (
    "# One a line: FINGERPRINT REJECT revoked\n"
    "# openssl x509 -in CERTIFICATE -noout -fingerprint -sha256 | cut -d= -f2\n"
)

target = Target(
    name="postfix",
    title="Postfix",
    group=Group.MAIL,
    status=Status.PROVEN,
    render=render,
    executable="postfix",
    packages=("postfix",),
    directory="/etc/postfix/handfast",
    port=25,
    install=(f"cat DIR/{CONFIG} >> /etc/postfix/main.cf", "postfix check && postfix reload"),
    minimum="3.6",
    test="postfix check",
    reload="postfix reload",
    kick="postfix reload: a session ends with the message that it is at",
    depth="smtpd_tls_ccert_verifydepth: 9 by itself",
    resumption="off: no tickets and no cache",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity=Identity(
        "the fingerprint of the certificate", "the Received header, with smtpd_tls_received_header = yes"
    ),
    refusals=(
        *(
            Refusal(case, "421 4.7.1 Error: Client certificate not trusted, or: No client certificate presented")
            for case in (
                Case.NO_CERTIFICATE,
                Case.SELF_SIGNED,
                Case.OTHER_CA,
                Case.EXPIRED,
                Case.NOT_YET_VALID,
                Case.SERVER_ONLY,
                Case.NO_INTERMEDIATE,
            )
        ),
        Refusal(Case.REVOKED, "554 5.7.1 … revoked", "revoked"),
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "Postfix takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; put the fingerprint of one that exists on the list",
        ),
    ),
)
