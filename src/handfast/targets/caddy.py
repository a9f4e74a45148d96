"""Caddy: client certificates for a site, and a deny-list, since Caddy knows no CRL."""

from handfast.targets.contract import (
    Case,
    Check,
    CrlForm,
    CrlScope,
    DenyList,
    Group,
    Identity,
    Level,
    Refusal,
    RenderedFile,
    SerialForm,
    Setting,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block, heading

CONFIG = "caddy-mtls.caddyfile"
DENYLIST = DenyList(
    SerialForm.DECIMAL,
    "denied.caddyfile",
    "{serial} yes",
    heading="# Serial numbers that are refused, in decimal, one a line: SERIAL yes",
)
# Mozilla Server Side TLS 6.0 in Caddy's spelling; its TLS 1.3 suites are not configurable and all good.
_CIPHERS = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The site. The deny-list that it imports is written beside it, always."""
    parts = [
        heading(f"Mutual TLS for {setting.name}. Imported by the Caddyfile."),
        ", ".join(f"https://{name}:{setting.port}" for name in setting.names) + " {\n",
        _bind(setting),
        _tls(setting),
        _refuse(setting),
        _application(setting).rstrip("\n") + "\n",
        "}\n",
    ]
    return (RenderedFile(setting.file(CONFIG), "".join(parts), comment="the site; import it in the Caddyfile"),)


def _bind(setting: Setting) -> str:
    return block("", [f"bind {setting.listen}"]) if setting.listen else ""


def _tls(setting: Setting) -> str:
    version = "tls1.3 tls1.3" if setting.level is Level.MODERN else "tls1.2 tls1.3"
    ciphers = [] if setting.level is Level.MODERN else [f"    ciphers {' '.join(_CIPHERS)}"]
    return block(
        f"Our own certificate, followed by its intermediates, and its key; TLS as in Mozilla Server Side TLS 6.0,\n"
        f"{setting.level}. Who may come: holders of a certificate below these roots. Clients send their\n"
        "intermediates.",
        [
            f"tls {setting.certificate} {setting.key} {{",
            f"    protocols {version}",
            *ciphers,
            "    curves x25519 secp256r1 secp384r1",
            "    client_auth {",
            "        mode require_and_verify",
            f"        trusted_ca_cert_file {setting.client_ca}",
            "    }",
            "}",
        ],
    )


def _refuse(setting: Setting) -> str:
    return block(
        "Caddy does not read CRLs. Serial numbers in this file, in decimal, are refused at every request: also on\n"
        "resumed sessions and on connections from before the revocation. A reload reads it.",
        [
            "map {tls_client_serial} {denied} {",
            f"    import {setting.denylist}",
            "    default no",
            "}",
            '@denied expression `{denied} == "yes"`',
            'respond @denied "this certificate was revoked" 403',
        ],
    )


def _application(setting: Setting) -> str:
    if not setting.upstream:
        return block("Put your application here; this line greets.", ['respond "hello {tls_client_subject}"'])
    return block(
        "The identity for the application, in headers that a client cannot set: each one is overwritten or removed,\n"
        "also in the spelling with underscores, which many frameworks take for the same header.",
        [
            f"reverse_proxy {setting.upstream} {{",
            "    header_up -X-Client-Cert",
            "    header_up -Client-Cert-Chain",
            "    header_up -X_Client*",
            "    header_up -X-Client_*",
            "    header_up -Client_Cert*",
            "    header_up -Client-Cert_*",
            '    header_up Client-Cert ":{tls_client_certificate_der_base64}:"',
            "    header_up X-Client-Subject {tls_client_subject}",
            "    header_up X-Client-Serial {tls_client_serial}",
            "    header_up X-Client-Verify SUCCESS",
            "}",
        ],
    )


def check(setting: Setting) -> Check:
    """`caddy validate` on this file alone; it loads the certificates too."""
    harness = RenderedFile("{scratch}/Caddyfile", f"import {setting.file(CONFIG)}\n")
    return Check(("caddy", "validate", "--adapter", "caddyfile", "--config", "{scratch}/Caddyfile"), (harness,))


target = Target(
    name="caddy",
    title="Caddy",
    group=Group.WEB,
    status=Status.PROVEN,
    render=render,
    check=check,
    executable="caddy",
    packages=("caddy",),
    directory="/etc/caddy/handfast",
    install=(
        "chgrp caddy DIR/server.key && chmod 640 DIR/server.key",
        f"echo 'import DIR/{CONFIG}' >> /etc/caddy/Caddyfile",
        "caddy validate --config /etc/caddy/Caddyfile && systemctl reload caddy",
    ),
    minimum="2.6",
    test="caddy validate --config /etc/caddy/Caddyfile",
    reload="systemctl reload caddy",
    kick="none needed: the deny-list is asked at every request, and a reload puts it in force on open connections",
    depth="none; Go has no limit to set",
    resumption="open in TLS, closed here: every request asks the deny-list, and Go looks at the leaf's expiry again",
    broken_crl="",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    denylist=DENYLIST,
    identity=Identity(
        "{tls_client_subject}, {tls_client_serial}, {tls_client_certificate_der_base64}",
        "Client-Cert (RFC 9440), X-Client-Subject, X-Client-Serial, X-Client-Verify",
    ),
    refusals=(
        *(
            Refusal(case, "alert bad certificate")
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
        Refusal(Case.REVOKED, 'HTTP 403, "this certificate was revoked"'),
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "Go takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; put the serial number of one that exists on the "
            "deny-list: handfast config caddy --deny SERIAL",
        ),
    ),
)
