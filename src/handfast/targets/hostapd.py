"""hostapd 2.10 as a RADIUS and EAP server by itself: EAP-TLS for Wi-Fi without any radio of its own (RFC 5216)."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    CrlForm,
    CrlScope,
    Group,
    Harm,
    Identity,
    Level,
    Refusal,
    RenderedFile,
    Setting,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block

CONFIG, USERS, CLIENTS = "hostapd.conf", "users", "access-points"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The server, who may use which method, and the access points' secrets, which are for the operator to fill in."""
    return (
        RenderedFile(setting.file(CONFIG), _config(setting), comment="the server"),
        RenderedFile(setting.file(USERS), _USERS, comment="everybody: EAP-TLS and nothing else"),
        RenderedFile(setting.file(CLIENTS), _CLIENTS, 0o600, "access points and their secrets: fill in"),
    )


def _part(comment: str, *lines: str) -> str:
    return block(comment, lines, indent="")


def _config(setting: Setting) -> str:
    parts = (
        f"# EAP-TLS over RADIUS for {setting.name}, by handfast: clients come in by certificate only.\n\n",
        _part(
            "A server only: no radio, and the interface is a name that must be there.", "driver=none", "interface=lo"
        ),
        _part(
            "It listens on every address, whatever is asked: close this port to all but the access points.",
            f"radius_server_auth_port={setting.port}",
            f"radius_server_clients={setting.file(CLIENTS)}",
        ),
        _part("", "eap_server=1", f"eap_user_file={setting.file(USERS)}"),
        _part(
            "Our own certificate, followed by its intermediates, and its key.",
            f"server_cert={setting.certificate}",
            f"private_key={setting.key}",
        ),
        _part(
            "Who may come: holders of a certificate below these roots. The CRL of every CA stands in the same file,\n"
            "and 2 asks for all of them. A login that comes this many seconds after the last look reads it again.\n"
            "An expired CRL counts as none (1, the default): who was revoked since then would come in by it.",
            f"ca_cert={setting.client_ca}",
            "check_crl=2",
            "crl_reload_interval=2",
            "check_crl_strict=1",
        ),
        _part(f"Mozilla Server Side TLS 6.0, {setting.level}.", *_tls(setting.level)),
        _part(
            "A resumed session is not checked against the CRL or the clock: every login is a full handshake.",
            "tls_session_lifetime=0",
        ),
    )
    return "".join(parts).rstrip("\n") + "\n"


def _tls(level: Level) -> tuple[str, ...]:
    if level is Level.MODERN:
        return ("tls_flags=[ENABLE-TLSv1.3][DISABLE-TLSv1.0][DISABLE-TLSv1.1][DISABLE-TLSv1.2]",)
    return (
        "tls_flags=[ENABLE-TLSv1.3][DISABLE-TLSv1.0][DISABLE-TLSv1.1]",
        f"openssl_ciphers={':'.join(mozilla.CIPHERS)}",
    )


_USERS = "# Whatever name a client gives before TLS: its certificate decides.\n* TLS\n"
_CLIENTS = "# One access point a line: its address, and the secret that is also set there.\n# 192.0.2.1/32 SECRET\n"
_FAILED = "TLS: Certificate verification failed, error"

target = Target(
    name="hostapd",
    title="hostapd as EAP server",
    group=Group.NETWORK,
    status=Status.PROVEN,
    render=render,
    directory="/etc/hostapd/handfast",
    install=(
        f"write the access points and their secrets to DIR/{CLIENTS}",
        f"ln -s DIR/{CONFIG} /etc/hostapd/handfast.conf",
        "systemctl enable --now hostapd@handfast",
    ),
    minimum="2.10",
    executable="hostapd",
    packages=("hostapd",),
    port=1812,
    identity=Identity(
        "none: it only asks whether the certificate is good",
        "not at all; where the name counts, take FreeRADIUS",
    ),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "EAP failure: no other method is offered", "CTRL-EVENT-EAP-FAILURE"),
        Refusal(Case.SELF_SIGNED, "EAP failure", f"{_FAILED} 18 (self-signed certificate)"),
        Refusal(Case.OTHER_CA, "EAP failure", f"{_FAILED} 20 (unable to get local issuer certificate)"),
        Refusal(Case.NO_INTERMEDIATE, "EAP failure", f"{_FAILED} 20 (unable to get local issuer certificate)"),
        Refusal(Case.EXPIRED, "EAP failure", f"{_FAILED} 10 (certificate has expired)"),
        Refusal(Case.NOT_YET_VALID, "EAP failure", f"{_FAILED} 9 (certificate is not yet valid)"),
        Refusal(Case.SERVER_ONLY, "EAP failure", f"{_FAILED} 26 (unsuitable certificate purpose)"),
        Refusal(Case.REVOKED, "EAP failure", f"{_FAILED} 23 (certificate revoked)"),
    ),
    reload="none is needed: a login that comes 2 s after the last look reads the CRLs again",
    kick="disconnect the client at its access point: hostapd_cli disassociate ADDRESS, where that is hostapd too",
    depth="no limit of its own",
    resumption="off: tls_session_lifetime=0, so that every login is a full handshake",
    broken_crl=(
        "a truncated one is not taken, and the CRLs before it stay; with an empty or expired one nobody"
        " gets in. So it is checked before it is put in place, by handfast, and never edited by hand"
    ),
    harms={**USUAL_HARMS, BrokenCrl.EMPTY: Harm.LOCKED_OUT},
    crl=CrlForm.IN_CA_FILE,
    crl_scope=CrlScope.WHOLE_CHAIN,
    weaknesses=(
        Weakness(
            Case.BARE,
            "hostapd takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; revoke one that exists",
        ),
    ),
)
