"""PostgreSQL: roles that log in by client certificate (the `cert` method, with a user name map)."""

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
    Since,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block, heading

CONFIG = "mtls.conf"
HBA = "pg_hba.conf"
IDENT = "pg_ident.conf"
_GROUPS = (18,)


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The settings, who may connect how, and which certificate is which role."""
    return (
        RenderedFile(setting.file(CONFIG), _settings(setting), comment="the settings; include it in postgresql.conf"),
        RenderedFile(setting.file(HBA), _hba(), comment="who may connect, and how"),
        RenderedFile(setting.file(IDENT), _IDENT, comment="which certificate is which role"),
    )


def _settings(setting: Setting) -> str:
    tls = [f"ssl_min_protocol_version = '{mozilla.VERSIONS[setting.level][0]}'"]
    if setting.level is Level.INTERMEDIATE:
        tls.append(f"ssl_ciphers = '{':'.join(mozilla.CIPHERS)}'")
    if setting.version and setting.version >= _GROUPS:
        tls.append(f"ssl_groups = '{mozilla.groups(hybrid=False)}'")
    parts = [
        heading(f"Mutual TLS for {setting.name}. Included by postgresql.conf."),
        _section("", [f"listen_addresses = '{setting.listen or '*'}'", f"port = {setting.port}"]),
        _section(
            "Our own certificate, followed by its intermediates, and its key, which belongs to postgres, mode 0600.",
            ["ssl = on", f"ssl_cert_file = '{setting.certificate}'", f"ssl_key_file = '{setting.key}'"],
        ),
        _section(f"Mozilla Server Side TLS 6.0, {setting.level}.", tls),
        _section(
            "Who may come: holders of a certificate below these roots. Clients send their intermediates. The file of\n"
            "CRLs holds one for every CA in the chain, the root too: without one of them nobody gets in.",
            [f"ssl_ca_file = '{setting.client_ca}'", f"ssl_crl_file = '{setting.crl}'"],
        ),
        _section(
            "The certificate is demanded there, not here: these two files take the place of the ones beside\n"
            "postgresql.conf, so that no laxer line of theirs comes first.",
            [f"hba_file = '{setting.file(HBA)}'", f"ident_file = '{setting.file(IDENT)}'"],
        ),
        _section("Writes down which certificate became which role.", ["log_connections = on"]),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def _section(comment: str, lines: list[str]) -> str:
    return block(comment, lines, indent="")


def _hba() -> str:
    parts = [
        heading("Who may connect, and how. The first line that fits decides."),
        _section("On this machine, through the socket: the operating system says who it is.", ["local all all peer"]),
        _section(
            "Over the network the certificate decides, and TLS is a must. No certificate makes anybody superuser.\n"
            "Never write `trust clientcert=verify-ca`: then any certificate may take any role.",
            ["hostssl all postgres all reject", "hostssl all all all cert map=mtls"],
        ),
        _section("Replicas too, each by a certificate with the name of a role that may replicate.", [_REPLICATION]),
    ]
    return "".join(parts).rstrip("\n") + "\n"


_REPLICATION = "hostssl replication all all cert map=mtls"

_IDENT = heading("Which certificate is which role: map, common name (/ begins a regular expression), role.") + (
    "# The role has the common name of the certificate.\n"
    "mtls  /^([a-z_][a-z0-9_-]*)$  \\1\n"
    "\n"
    "# Another role for one certificate is a line more:\n"
    "# mtls  billing.example.com  billing\n"
)

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
    name="postgresql",
    title="PostgreSQL",
    group=Group.DATABASE,
    status=Status.PROVEN,
    render=render,
    executable="psql",
    packages=("postgresql",),
    directory="/etc/postgresql/handfast",
    port=5432,
    install=(
        "chown postgres DIR/server.key",
        f"echo \"include 'DIR/{CONFIG}'\" > /etc/postgresql/15/main/conf.d/{CONFIG}",
        "create the roles: sudo -u postgres createuser alice",
        "systemctl restart postgresql",
    ),
    minimum="12",
    newer=(
        Since("16", "the log says why a certificate was refused and whose it was; before, only that it was"),
        Since("18", "ssl_groups: a list of key exchange groups; before, there is one curve, and its default is good"),
    ),
    test='sudo -u postgres psql -c "select * from pg_file_settings where error is not null" '
    '-c "select * from pg_hba_file_rules where error is not null"',
    reload="sudo -u postgres psql -c 'select pg_reload_conf()'",
    kick='sudo -u postgres psql -c "select pg_terminate_backend(pid) from pg_stat_ssl where client_serial = SERIAL" '
    "(decimal)",
    depth="none to set; OpenSSL's limit of 100 holds",
    resumption="off: PostgreSQL neither gives tickets nor keeps a cache",
    broken_crl="a reload with a broken file changes nothing, and the log says why; a restart with it fails: reload and "
    "read the log before you restart",
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.WHOLE_CHAIN,
    identity=Identity(
        "the common name, by pg_ident.conf",
        "the role (session_user); pg_stat_ssl has client_dn and client_serial of every session",
    ),
    refusals=(
        Refusal(
            Case.NO_CERTIFICATE, "FATAL: connection requires a valid client certificate", "valid client certificate"
        ),
        *(Refusal(case, words, "certificate verify failed") for case, words in _ALERTS.items()),
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "PostgreSQL takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; a role that does not exist lets nobody in",
        ),
    ),
)
