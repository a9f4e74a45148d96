"""OpenVPN 2.6: a server whose clients come in by certificate, and the client's side of it."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    CrlScope,
    Group,
    Harm,
    Identity,
    Level,
    Option,
    Refusal,
    RenderedFile,
    Setting,
    Status,
    Target,
)
from handfast.targets.layout import block

SERVER, CLIENT = "server.conf", "client.conf"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The server's configuration, and one that every client can use."""
    return (
        RenderedFile(setting.file(SERVER), _server(setting), comment="the server"),
        RenderedFile(setting.file(CLIENT), _client(setting), comment="for the clients, beside their certificate"),
    )


def _server(setting: Setting) -> str:
    return "".join(
        (
            f"# OpenVPN server {setting.name}: clients come in by certificate only. Written by handfast.\n\n",
            _network(setting),
            _part(
                "Our own certificate, followed by its intermediates, and its key.\n"
                "No DH parameters: all key exchange is on elliptic curves.",
                f"cert {setting.certificate}",
                f"key {setting.key}",
                "dh none",
            ),
            _part(f"Mozilla Server Side TLS 6.0, {setting.level}.", *_tls(setting.level)),
            _clients(setting),
            _part(
                "Open tunnels outlive a revocation. To cut one, say `kill <common name>` here.",
                f"management {_option(setting, 'management')} unix",
            ),
            "verb 3\n",
        )
    )


def _part(comment: str, *lines: str) -> str:
    return block(comment, lines, indent="")


def _network(setting: Setting) -> str:
    listen = (f"local {setting.listen}",) if setting.listen else ()
    proto, network = _option(setting, "proto"), _option(setting, "network")
    tunnel = ("dev tun", "topology subnet", f"server {network}", "keepalive 10 60")
    return _part("", *listen, f"port {setting.port}", f"proto {proto}", *tunnel)


def _clients(setting: Setting) -> str:
    return _part(
        "Who may come: holders of a certificate below these roots that is for clients (key usage and extended\n"
        "key usage). Without remote-cert-tls the certificate of any server would do as well.",
        f"ca {setting.client_ca}",
        "remote-cert-tls client",
    ) + _part(
        "Looked at before every handshake, and read again when its time or size changed; no signal is needed.\n"
        "A CA whose CRL is missing here is NOT refused: let handfast write this file, which checks it first.",
        f"crl-verify {setting.crl}",
    )


def _client(setting: Setting) -> str:
    remote = f"remote {setting.name} {setting.port} {_option(setting, 'proto')}"
    return "".join(
        (
            f"# OpenVPN client of {setting.name}. Beside it go root.pem, client.pem, client.key. By handfast.\n\n",
            _part("", "client", "dev tun", remote, "nobind"),
            _part("", "cert client.pem", "key client.key", *_tls(setting.level)),
            _part(
                "Only a server's certificate of this CA, and only with this common name: without both lines any other\n"
                "client of the CA could play the server.",
                "ca root.pem",
                "remote-cert-tls server",
                f"verify-x509-name {setting.name} name",
            ),
            "verb 3\n",
        )
    )


def _tls(level: Level) -> list[str]:
    if level is Level.MODERN:
        return ["tls-version-min 1.3"]
    return ["tls-version-min 1.2", f"tls-cipher {':'.join(mozilla.CIPHERS)}"]


def _option(setting: Setting, name: str) -> str:
    return target.option(setting, name)


# The alert does not reach the client: all refusals look alike to it.
_SILENCE = "TCP: Connection reset, restarting; UDP: TLS key negotiation failed to occur within 60 seconds"

target = Target(
    name="openvpn",
    title="OpenVPN",
    group=Group.NETWORK,
    status=Status.PROVEN,
    render=render,
    directory="/etc/openvpn/server/handfast",
    install=(
        f"ln -s DIR/{SERVER} /etc/openvpn/server/handfast.conf",
        "systemctl enable --now openvpn-server@handfast",
        f"give {CLIENT} and root.pem to every client",
    ),
    minimum="2.6",
    executable="openvpn",
    packages=("openvpn",),
    port=1194,
    identity=Identity(
        "the common name of the subject",
        "common_name, tls_serial_0 and X509_0_* in the environment of scripts; the common name in the status",
    ),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, _SILENCE, "peer did not return a certificate"),
        Refusal(Case.SELF_SIGNED, _SILENCE, "error=self-signed certificate"),
        Refusal(Case.OTHER_CA, _SILENCE, "error=unable to get local issuer certificate"),
        Refusal(Case.NO_INTERMEDIATE, _SILENCE, "error=unable to get local issuer certificate"),
        Refusal(Case.EXPIRED, _SILENCE, "error=certificate has expired"),
        Refusal(Case.NOT_YET_VALID, _SILENCE, "error=certificate is not yet valid"),
        Refusal(Case.SERVER_ONLY, _SILENCE, "error=unsuitable certificate purpose"),
        Refusal(Case.BARE, _SILENCE, "VERIFY KU ERROR"),
        Refusal(Case.REVOKED, _SILENCE, "error=certificate revoked"),
    ),
    kick="echo 'kill <common name>' | socat -t1 - UNIX-CONNECT:/run/openvpn-server/handfast.sock",
    depth="no limit of its own",
    resumption="never: OpenVPN has neither tickets nor a session cache; a renegotiation is a full handshake",
    broken_crl=(
        "cut inside its last CRL the file lets revoked clients in, with one warning in the log; with no readable CRL"
        " everybody is refused. So it is checked before it is put in place, by `handfast crl`, and every CRL must have"
        " a later thisUpdate than the one before, which handfast's have"
    ),
    harms={**USUAL_HARMS, BrokenCrl.EMPTY: Harm.LOCKED_OUT, BrokenCrl.FORGED: Harm.NONE, BrokenCrl.OLDER: Harm.NONE},
    crl_scope=CrlScope.LEAF_ISSUER,
    options=(
        Option("proto", "udp", "udp or tcp"),
        Option("network", "10.8.0.0 255.255.255.0", "the addresses inside the tunnel, as `server` takes them"),
        Option("management", "/run/openvpn-server/handfast.sock", "the socket for `kill`"),
    ),
)
