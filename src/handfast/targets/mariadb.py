"""MariaDB: accounts that log in by client certificate (CREATE USER … REQUIRE SUBJECT)."""

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

CONFIG = "99-mtls.cnf"
ACCOUNTS = "accounts.sql"
OPENSSL = "openssl.cnf"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The settings, and how an account is tied to a certificate."""
    return (
        RenderedFile(setting.file(CONFIG), _settings(setting), comment="the settings, for mariadb.conf.d"),
        RenderedFile(setting.file(OPENSSL), _OPENSSL, comment="no TLS session resumption"),
        RenderedFile(setting.file("systemd.dropin"), _service(setting), comment="systemd: use that openssl.cnf"),
        RenderedFile(setting.file(ACCOUNTS), _ACCOUNTS, comment="how an account is tied to a certificate"),
    )


def _settings(setting: Setting) -> str:
    tls = [f"tls_version = {','.join(mozilla.VERSIONS[setting.level])}"]
    if setting.level is Level.INTERMEDIATE:
        tls.append(f"ssl_cipher = {':'.join(mozilla.CIPHERS)}")
    parts = [
        heading(f"Mutual TLS for {setting.name}. Read last, from mariadb.conf.d."),
        "[mariadbd]\n",
        _section("", [f"bind-address = {setting.listen or '*'}", f"port = {setting.port}"]),
        _section(
            "Our own certificate, followed by its intermediates, and its key.",
            [f"ssl_cert = {setting.certificate}", f"ssl_key = {setting.key}"],
        ),
        _section(f"Mozilla Server Side TLS 6.0, {setting.level}.", tls),
        _section(
            "Whose certificates count: those below these roots. Clients send their intermediates. The file of CRLs\n"
            "holds one for every CA in the chain, the root too: without one of them nobody gets in.",
            [f"ssl_ca = {setting.client_ca}", f"ssl_crl = {setting.crl}"],
        ),
        _section(
            "Nothing in the clear over the network. That a certificate is shown, and which, only the account can\n"
            f"demand: see {ACCOUNTS}. An account without REQUIRE SUBJECT takes none.",
            ["require_secure_transport = ON"],
        ),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def _section(comment: str, lines: list[str]) -> str:
    return block(comment, lines, indent="")


_ACCOUNTS = "\n".join(
    [
        heading("Accounts that log in by certificate: the subject is compared as a whole.", mark="--").rstrip("\n"),
        "",
        "-- REQUIRE X509 would take any certificate below the roots for any account: always name the subject.",
        "CREATE USER IF NOT EXISTS 'alice'@'%' IDENTIFIED BY '' REQUIRE SUBJECT '/CN=alice';",
        "",
        "-- Accounts that need no certificate of a name; none but root and mariadb.sys should be left.",
        "SELECT user, host, ssl_type FROM mysql.user WHERE ssl_type <> 'SPECIFIED';",
        "",
    ]
)

_OPENSSL = (
    heading("OpenSSL's settings for MariaDB, which has none for this: see systemd.dropin.")
    + "# A resumed session is not checked against the clock: an expired client would come back with it.\n"
    "openssl_conf = settings\n"
    "\n"
    "[settings]\n"
    "ssl_conf = tls\n"
    "\n"
    "[tls]\n"
    "system_default = no_resumption\n"
    "\n"
    "[no_resumption]\n"
    "Options = -SessionTicket\n"
    "NumTickets = 0\n"
)


def _service(setting: Setting) -> str:
    title = heading("For /etc/systemd/system/mariadb.service.d/handfast.conf.")
    return f"{title}[Service]\nEnvironment=OPENSSL_CONF={setting.file(OPENSSL)}\n"


_ALERTS = {
    Case.SELF_SIGNED: "alert unknown ca",
    Case.OTHER_CA: "alert unknown ca",
    Case.EXPIRED: "alert certificate expired",
    Case.NOT_YET_VALID: "alert bad certificate",
    Case.SERVER_ONLY: "alert unsupported certificate",
    Case.NO_INTERMEDIATE: "alert unknown ca",
    Case.REVOKED: "alert certificate revoked",
}

target = Target(
    name="mariadb",
    title="MariaDB",
    group=Group.DATABASE,
    status=Status.PROVEN,
    render=render,
    executable="mariadb",
    packages=("mariadb-server",),
    directory="/etc/mysql/handfast",
    port=3306,
    install=(
        "chown mysql DIR/server.key",
        "mkdir -p /etc/systemd/system/mariadb.service.d",
        "ln -s DIR/systemd.dropin /etc/systemd/system/mariadb.service.d/handfast.conf",
        f"ln -s DIR/{CONFIG} /etc/mysql/mariadb.conf.d/{CONFIG}",
        "systemctl daemon-reload && systemctl restart mariadb",
        f"mariadb < DIR/{ACCOUNTS}, with your own names in it",
    ),
    minimum="10.4",
    reload="mariadb -e 'FLUSH SSL'",
    kick="mariadb -e 'KILL USER alice'",
    depth="none to set; OpenSSL's limit of 100 holds",
    resumption="off, by OPENSSL_CONF: MariaDB itself has no setting, and an expired client would go on resuming",
    broken_crl="FLUSH SSL refuses a broken file and keeps what it had; a start with it fails: flush before you restart",
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.WHOLE_CHAIN,
    identity=Identity("the subject, compared with REQUIRE SUBJECT of the account that is asked for", "current_user()"),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "ERROR 1045: Access denied for user"),
        *(Refusal(case, words) for case, words in _ALERTS.items()),
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "MariaDB takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; an account that does not exist lets nobody in",
        ),
    ),
)
