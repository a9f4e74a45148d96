"""stunnel: mutual TLS before a program that has none of its own."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    Case,
    CrlForm,
    CrlScope,
    Group,
    Identity,
    Level,
    Option,
    Refusal,
    RenderedFile,
    Setting,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block, heading

CONFIG = "stunnel-mtls.conf"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """One service, in a file that Debian runs as stunnel@NAME."""
    parts = [
        heading(f"Mutual TLS for {setting.name}.", mark=";"),
        _section(
            "Stays in the foreground, for systemd, whose log gets every refusal with its reason and the name.",
            ["foreground = yes", "syslog = no"],
        ),
        "[mtls]\n",
        _section(
            "Where clients come, and the program that gets what they send. It must listen on loopback only: who\n"
            "reaches it there needs no certificate, and it is told nothing about the one that was shown here.",
            [
                f"accept = {setting.listen or '::'}:{setting.port}",
                f"connect = {setting.upstream or '127.0.0.1:8000'}",
            ],
        ),
        _section(
            "Our own certificate, followed by its intermediates, and its key.",
            [f"cert = {setting.certificate}", f"key = {setting.key}"],
        ),
        _tls(setting),
        _section(
            "Who may come: holders of a certificate below these roots. Clients send their intermediates. Without\n"
            "verifyChain nothing is checked. The CRL file must hold that of the CA which issues to clients.",
            ["verifyChain = yes", f"CAfile = {setting.client_ca}", f"CRLfile = {setting.crl}"],
        ),
        _section(
            "A resumed session is not checked against the clock: an expired client would come back with it. So every\n"
            "connection is a full handshake.",
            ["sessionResume = no"],
        ),
    ]
    return (RenderedFile(setting.file(CONFIG), "".join(parts).rstrip("\n") + "\n", comment="the service"),)


def _section(comment: str, lines: list[str]) -> str:
    return block(comment, lines, mark=";", indent="")


def _tls(setting: Setting) -> str:
    lines = [f"sslVersionMin = {mozilla.VERSIONS[setting.level][0]}"]
    if setting.level is Level.INTERMEDIATE:
        lines.append(f"ciphers = {':'.join(mozilla.CIPHERS)}")
    lines.append(f"curves = {mozilla.groups(hybrid=target.option(setting, 'hybrid') == 'yes')}")
    return _section(f"Mozilla Server Side TLS 6.0, {setting.level}.", lines)


target = Target(
    name="stunnel",
    title="stunnel",
    group=Group.WEB,
    status=Status.PROVEN,
    render=render,
    executable="stunnel",
    packages=("stunnel4",),
    directory="/etc/stunnel/handfast",
    install=(f"ln -s DIR/{CONFIG} /etc/stunnel/mtls.conf", "systemctl enable --now stunnel@mtls"),
    minimum="5.50",
    reload="systemctl kill -s HUP stunnel@mtls",
    kick="systemctl restart stunnel@mtls",
    depth="none to set; OpenSSL's limit of 100 holds",
    resumption="off: neither session identifiers nor tickets",
    broken_crl="a reload with a broken file changes nothing, and the log says why; a start with it fails: "
    "reload and read the log before you restart",
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.LEAF_ISSUER,
    identity=Identity("the log names the subject of every client", "nothing is handed on"),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "alert certificate required, or a reset", "peer did not return a certificate"),
        Refusal(Case.SELF_SIGNED, "alert unknown ca, or a reset", "self-signed certificate"),
        Refusal(Case.OTHER_CA, "alert unknown ca, or a reset", "unable to get local issuer certificate"),
        Refusal(Case.EXPIRED, "alert certificate expired, or a reset", "certificate has expired"),
        Refusal(Case.NOT_YET_VALID, "alert bad certificate, or a reset", "certificate is not yet valid"),
        Refusal(Case.SERVER_ONLY, "alert unsupported certificate, or a reset", "unsuitable certificate purpose"),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca, or a reset", "unable to get local issuer certificate"),
        Refusal(Case.REVOKED, "alert certificate revoked, or a reset", "certificate revoked"),
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "stunnel takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out",
        ),
    ),
    options=(Option("hybrid", "no", "yes: offer the post-quantum group X25519MLKEM768 too (needs OpenSSL 3.5)"),),
)
