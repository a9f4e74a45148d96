"""Traefik: client certificates by its file provider. It reads no CRLs, so its status is honest about revocation."""

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
from handfast.targets.layout import heading

CONFIG = "traefik-mtls.yaml"
# Go's names; the suites of TLS 1.3 are not configurable there.
_CIPHERS = tuple(
    f"TLS_{kind}_WITH_{cipher}"
    for kind in ("ECDHE_ECDSA", "ECDHE_RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
)


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """A file for the directory of the file provider; the entry point is called websecure, as in Traefik's manual."""
    title = f"Mutual TLS for {setting.name}, in the directory of the file provider."
    content = heading(title) + "\n".join((*_tls(setting), *_http(setting))) + "\n"
    return (RenderedFile(setting.file(CONFIG), content, comment="for the directory of the file provider"),)


def _tls(setting: Setting) -> tuple[str, ...]:
    return (
        "tls:",
        "  certificates:",
        f"    - certFile: {setting.certificate}",
        f"      keyFile: {setting.key}",
        "  options:",
        "    mtls:",
        f"      # TLS as in Mozilla Server Side TLS 6.0, {setting.level}.",
        f"      minVersion: {'VersionTLS13' if setting.level is Level.MODERN else 'VersionTLS12'}",
        *_ciphers(setting.level),
        "      # No sessions to come back with from before a change.",
        "      disableSessionTickets: true",
        "      # A host name that is no router's gets no TLS at all, so none comes in under other options.",
        "      sniStrict: true",
        "      # Who may come: holders of a certificate below these roots. Clients send their intermediates.",
        "      clientAuth:",
        f"        caFiles: [{setting.client_ca}]",
        "        clientAuthType: RequireAndVerifyClientCert",
    )


def _http(setting: Setting) -> tuple[str, ...]:
    hosts = " || ".join(f"Host(`{name}`)" for name in setting.names)
    upstream = setting.upstream or "127.0.0.1:8000"
    return (
        "http:",
        "  routers:",
        "    mtls:",
        f'      rule: "{hosts}"',
        "      entryPoints: [websecure]",
        "      tls: { options: mtls }",
        "      middlewares: [client-certificate]",
        "      service: application",
        "  middlewares:",
        "    # X-Forwarded-Tls-Client-Cert: what a client sends under this name is replaced.",
        "    client-certificate:",
        "      passTLSClientCert: { pem: true }",
        "  services:",
        "    application:",
        "      loadBalancer:",
        "        servers:",
        f'          - url: "http://{upstream}"',
    )


def _ciphers(level: Level) -> tuple[str, ...]:
    if level is Level.MODERN:
        return ()
    return ("      cipherSuites:", *(f"        - {name}" for name in _CIPHERS))


target = Target(
    name="traefik",
    title="Traefik",
    group=Group.WEB,
    # Run by hand with Traefik 3.5.0: Debian has no package of it.
    status=Status.CHECKED,
    render=render,
    directory="/etc/traefik/handfast",
    install=(
        f"cp DIR/{CONFIG} to the directory of providers.file.directory; Traefik reads it at once",
        "after new certificates: touch that copy, since Traefik watches it and not the certificates",
    ),
    minimum="3.4",
    reload=f"touch the copy of {CONFIG}",
    kick="restart Traefik",
    depth="none; Go has no limit to set",
    resumption="off by disableSessionTickets, in the versions that have it",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity=Identity("the TLS connection", "X-Forwarded-Tls-Client-Cert, PEM without its frame, URL-encoded"),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "alert certificate required"),
        Refusal(Case.SELF_SIGNED, "connection closed"),
        Refusal(Case.OTHER_CA, "alert unknown ca"),
        Refusal(Case.EXPIRED, "alert certificate expired"),
        Refusal(Case.NOT_YET_VALID, "alert certificate expired"),
        Refusal(Case.SERVER_ONLY, "alert bad certificate"),
        Refusal(Case.NO_INTERMEDIATE, "connection closed"),
    ),
    weaknesses=(
        Weakness(
            Case.REVOKED,
            "Traefik reads no CRLs and has no deny-list",
            "look the certificate up in the application, by the CRL; or give certificates of days, not years",
        ),
        Weakness(
            Case.BARE,
            "Go takes a certificate without extended key usages for good for every purpose",
            "sign with handfast only, which never leaves them out",
        ),
    ),
)
