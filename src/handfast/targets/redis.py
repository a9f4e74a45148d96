"""Redis and Valkey: client certificates at the door; revocation only by short lives, or by stunnel in front."""

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
    Since,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block, heading

CONFIG = "redis-mtls.conf"
# Redis 8.6 and Valkey 9 take the user's name from the certificate; an unknown directive ends older ones.
_USER_FROM_CERTIFICATE = {"redis": (8, 6), "valkey": (9, 0)}


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """One file that redis.conf includes as its last line."""
    parts = [
        heading(f"Mutual TLS for {setting.name}. Included by redis.conf, as its last line."),
        _section(
            "TLS only: port 0 closes the port without TLS.",
            ["port 0", f"tls-port {setting.port}", f"bind {setting.listen or '* -::*'}"],
        ),
        _section(
            "Our own certificate, followed by its intermediates, and its key.",
            [f"tls-cert-file {setting.certificate}", f"tls-key-file {setting.key}"],
        ),
        _tls(setting),
        _section(
            "Who may come: holders of a certificate below these roots. Clients send their intermediates.\n"
            "Redis reads no CRL: whoever is revoked gets in until the certificate ends. Give certificates for a day,\n"
            "or listen on 127.0.0.1 only and put stunnel in front.",
            [f"tls-ca-cert-file {setting.client_ca}", "tls-auth-clients yes", *_user(setting)],
        ),
        _section(
            "A resumed session is not checked against the clock: an expired client would come back with it.",
            ["tls-session-caching no"],
        ),
        _section("Replicas and cluster nodes show certificates too.", ["tls-replication yes", "tls-cluster yes"]),
    ]
    return (RenderedFile(setting.file(CONFIG), "".join(parts).rstrip("\n") + "\n", comment="included by redis.conf"),)


def _section(comment: str, lines: list[str]) -> str:
    return block(comment, lines, indent="")


def _tls(setting: Setting) -> str:
    lines = [f'tls-protocols "{" ".join(mozilla.VERSIONS[setting.level])}"']
    if setting.level is Level.INTERMEDIATE:
        lines.append(f"tls-ciphers {':'.join(mozilla.CIPHERS)}")
    return _section(f"Mozilla Server Side TLS 6.0, {setting.level}.", lines)


def _user(setting: Setting) -> list[str]:
    since = _USER_FROM_CERTIFICATE.get(target.option(setting, "product"), (99,))
    return ["tls-auth-clients-user CN"] if setting.version and setting.version >= since else []


_SHORT = (
    "certificates for a day (--lifetime 24h), or handfast config stunnel --upstream 127.0.0.1:6379, which reads CRLs"
)
_BAD = "certificate verify failed"

target = Target(
    name="redis",
    title="Redis, Valkey",
    group=Group.DATABASE,
    status=Status.PROVEN,
    render=render,
    executable="redis-server",
    packages=("redis-server",),
    directory="/etc/redis/handfast",
    port=6379,
    install=(
        "chgrp redis DIR/server.key && chmod 640 DIR/server.key",
        f"echo 'include DIR/{CONFIG}' >> /etc/redis/redis.conf",
        "systemctl restart redis-server",
    ),
    minimum="6.2",
    newer=(
        Since("8.6 (Valkey 9)", "tls-auth-clients-user: the user is the common name; before, everybody is default"),
    ),
    reload="redis-cli --tls … config set tls-ca-cert-file DIR/client-ca.pem (reads the certificates again)",
    kick="redis-cli --tls … client kill type normal",
    depth="none to set; OpenSSL's limit of 100 holds",
    resumption="refused: a client that tries to resume is cut off with an alert, and has to come without its session",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity=Identity("none: everybody is the user default", "nothing; Redis 8.6 and Valkey 9: the user of that name"),
    refusals=(
        Refusal(
            Case.NO_CERTIFICATE, "alert certificate required (TLS 1.2: handshake failure)", "did not return a cert"
        ),
        Refusal(Case.SELF_SIGNED, "alert unknown ca", _BAD),
        Refusal(Case.OTHER_CA, "alert unknown ca", _BAD),
        Refusal(Case.EXPIRED, "alert certificate expired", _BAD),
        Refusal(Case.NOT_YET_VALID, "alert bad certificate", _BAD),
        Refusal(Case.SERVER_ONLY, "alert unsupported certificate", _BAD),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca", _BAD),
    ),
    weaknesses=(
        Weakness(Case.REVOKED, "Redis reads no CRL and has no deny-list", _SHORT),
        Weakness(Case.REVOKED_RESUMED, "its session is not taken, and without one it gets in", _SHORT),
        Weakness(
            Case.BARE,
            "Redis takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out",
        ),
    ),
    options=(Option("product", "redis", "valkey: what is rendered goes by Valkey's version numbers"),),
)
