"""Dovecot: mail users who log in by client certificate (SASL EXTERNAL, RFC 4422 appendix A)."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    Check,
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
from handfast.targets.layout import block, heading

CONFIG = "dovecot-mtls.conf"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """One file for Debian's local.conf, which is read last."""
    parts = [
        heading(f"Mutual TLS for {setting.name}. Included by local.conf."),
        _section("TLS from the first byte, and nothing without it.", _listeners(setting)),
        _section(
            "Our own certificate, followed by its intermediates, and its key; the < reads the file.",
            ["ssl = required", f"ssl_cert = <{setting.certificate}", f"ssl_key = <{setting.key}"],
        ),
        _section(f"Mozilla Server Side TLS 6.0, {setting.level}.", _tls(setting)),
        _section(
            "Who may come: holders of a certificate below the roots in this file. Clients send their intermediates.\n"
            "The same file holds one CRL for every CA in the chain, the root too: without one nobody gets in.",
            [f"ssl_ca = <{setting.client_ca}", "ssl_verify_client_cert = yes", "ssl_require_crl = yes"],
        ),
        _section(
            "A resumed session is not checked against the CRL: every connection is a full handshake.",
            ["ssl_options = no_ticket"],
        ),
        _section(
            "The certificate is the login: its common name is the user, and no password is taken. A bad certificate\n"
            "is refused here, not by TLS. Why it is bad goes to the log only with verbose_ssl = yes, in many lines:\n"
            "set it while somebody wonders.",
            [
                "auth_ssl_require_client_cert = yes",
                "auth_ssl_username_from_cert = yes",
                "auth_mechanisms = external",
                "auth_verbose = yes",
            ],
        ),
        _section(
            "EXTERNAL still asks a password database; this one wants no password. It must be the only one.",
            ["passdb {", "  driver = static", "  args = nopassword=y", "}"],
        ),
        _section("Only users of the system get a mailbox.", ["userdb {", "  driver = passwd", "}"]),
    ]
    return (RenderedFile(setting.file(CONFIG), "".join(parts).rstrip("\n") + "\n", comment="included by local.conf"),)


def _section(comment: str, lines: list[str]) -> str:
    return block(comment, lines, indent="")


def _listeners(setting: Setting) -> list[str]:
    address = [f"    address = {setting.listen}"] if setting.listen else []
    return [
        "service imap-login {",
        "  inet_listener imap {",
        "    port = 0",
        "  }",
        "  inet_listener imaps {",
        *address,
        f"    port = {setting.port}",
        "    ssl = yes",
        "  }",
        "}",
    ]


def _tls(setting: Setting) -> list[str]:
    lines = [f"ssl_min_protocol = {mozilla.VERSIONS[setting.level][0]}"]
    if setting.level is Level.INTERMEDIATE:
        lines.append(f"ssl_cipher_list = {':'.join(mozilla.CIPHERS)}")
    return [*lines, f"ssl_curve_list = {mozilla.groups(hybrid=False)}"]


def check(setting: Setting) -> Check:
    """`doveconf` on this file alone."""
    return Check(("doveconf", "-n", "-c", setting.file(CONFIG)))


target = Target(
    name="dovecot",
    title="Dovecot",
    group=Group.MAIL,
    status=Status.PROVEN,
    render=render,
    check=check,
    executable="doveconf",
    packages=("dovecot-imapd",),
    directory="/etc/dovecot/handfast",
    port=993,
    install=(
        "in /etc/dovecot/conf.d/10-auth.conf: put a # before !include auth-system.conf.ext",
        f"echo '!include DIR/{CONFIG}' >> /etc/dovecot/local.conf",
        "doveconf -n > /dev/null && doveadm reload",
    ),
    minimum="2.3",
    test="doveconf -n",
    reload="doveadm reload",
    kick="doveadm kick USER",
    depth="none to set; OpenSSL's limit of 100 holds",
    resumption="off: no tickets, and a login process serves one connection and keeps no sessions",
    broken_crl="doveconf does not read the CRL, and after a reload with a broken one nobody gets in until it is "
    "mended: let handfast write the file, or check it with `openssl crl -in FILE -noout -CAfile CA` first",
    harms={**USUAL_HARMS, BrokenCrl.TRUNCATED: Harm.LOCKED_OUT, BrokenCrl.EMPTY: Harm.LOCKED_OUT},
    crl=CrlForm.IN_CA_FILE,
    crl_scope=CrlScope.WHOLE_CHAIN,
    identity=Identity("the common name", "the user name, in the session and in the log"),
    refusals=tuple(
        Refusal(case, "NO [ALERT] Client didn't present valid SSL certificate", "present valid SSL certificate")
        for case in (
            Case.NO_CERTIFICATE,
            Case.SELF_SIGNED,
            Case.OTHER_CA,
            Case.EXPIRED,
            Case.NOT_YET_VALID,
            Case.SERVER_ONLY,
            Case.NO_INTERMEDIATE,
            Case.REVOKED,
        )
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "Dovecot takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out",
        ),
    ),
)
