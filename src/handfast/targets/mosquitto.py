"""Eclipse Mosquitto 2.0: an MQTT broker whose devices come in by certificate, and by nothing else."""

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
    Weakness,
)

_VERIFY_FAILED = "certificate verify failed"
# The broker closes before it has read CONNECT, so that the alert may be lost on its way.
_OR_LOST = ", or only a lost connection"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The listener, who may use which topics, and the OpenSSL settings that switch resumption off."""
    return (
        RenderedFile(setting.file("listener.conf"), _listener(setting), comment="the listener: include it"),
        RenderedFile(setting.file("topics.acl"), _topics(setting), mode=0o644, comment="who may use which topic"),
        RenderedFile(setting.file("openssl.cnf"), _OPENSSL, comment="no TLS session resumption"),
        RenderedFile(setting.file("systemd.dropin"), _service(setting), comment="systemd: use that openssl.cnf"),
    )


def _listener(setting: Setting) -> str:
    listener = f"listener {setting.port} {setting.listen}".rstrip()
    return f"""\
# MQTT over mutual TLS for {setting.name}, Mosquitto 2.0 or newer.
{listener}
certfile {setting.certificate}
keyfile {setting.key}
{_versions(setting.level)}
# Whoever shows a certificate of this CA may come in, so only the clients' own root stands here.
cafile {setting.client_ca}
require_certificate true

# SIGHUP reads this file again. A file that cannot be read switches revocation OFF, with one line in the log:
# let handfast write it, which checks it first.
crlfile {setting.crl}

# The common name of the certificate is the user name; one that the client sends in CONNECT is ignored.
use_identity_as_username true
allow_anonymous false
acl_file {setting.file("topics.acl")}
"""


def _versions(level: Level) -> str:
    if level is Level.MODERN:
        return "tls_version tlsv1.3\n"
    suites = ":".join(mozilla.CIPHERS)
    return f"tls_version tlsv1.2\n# For TLS 1.2; the suites of TLS 1.3 are all good.\nciphers {suites}\n"


def _topics(setting: Setting) -> str:
    return f"""\
# To silence a client that is connected now, put two lines above the others and send SIGHUP:
#   user <common name>
#   topic deny #

# %u is the common name of the client's certificate.
pattern readwrite {target.option(setting, "topics")}
"""


_OPENSSL = """\
# Mosquitto has no setting for TLS session resumption, and a client that resumes shows no certificate:
# it would stay welcome long after its certificate expired. This switches resumption off for the whole process.
openssl_conf = settings

[settings]
ssl_conf = protocols

[protocols]
system_default = tls

[tls]
Options = -SessionTicket
NumTickets = 0
"""


def _service(setting: Setting) -> str:
    return f"""\
# For /etc/systemd/system/mosquitto.service.d/handfast.conf
[Service]
Environment=OPENSSL_CONF={setting.file("openssl.cnf")}
"""


target = Target(
    name="mosquitto",
    title="Mosquitto MQTT broker",
    group=Group.MESSAGING,
    status=Status.PROVEN,
    render=render,
    directory="/etc/mosquitto/handfast",
    install=(
        "echo 'include_dir DIR' >> /etc/mosquitto/mosquitto.conf",
        "let the broker read the private key: chgrp mosquitto on its file, mode 640",
        "install -D -m 644 DIR/systemd.dropin /etc/systemd/system/mosquitto.service.d/handfast.conf",
        "systemctl daemon-reload && systemctl restart mosquitto",
    ),
    minimum="2.0",
    executable="mosquitto",
    packages=("mosquitto",),
    port=8883,
    identity=Identity(
        "the common name of the subject, as the user name (use_identity_as_username)",
        "in topics: %u of an ACL pattern; to plugins as the user name",
    ),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, f"alert certificate required{_OR_LOST}", "peer did not return a certificate"),
        Refusal(Case.SELF_SIGNED, f"alert unknown ca{_OR_LOST}", _VERIFY_FAILED),
        Refusal(Case.OTHER_CA, f"alert unknown ca{_OR_LOST}", _VERIFY_FAILED),
        Refusal(Case.NO_INTERMEDIATE, f"alert unknown ca{_OR_LOST}", _VERIFY_FAILED),
        Refusal(Case.EXPIRED, f"alert certificate expired{_OR_LOST}", _VERIFY_FAILED),
        Refusal(Case.NOT_YET_VALID, f"alert bad certificate{_OR_LOST}", _VERIFY_FAILED),
        Refusal(Case.SERVER_ONLY, f"alert unsupported certificate{_OR_LOST}", _VERIFY_FAILED),
        Refusal(Case.REVOKED, f"alert certificate revoked{_OR_LOST}", _VERIFY_FAILED),
    ),
    reload="systemctl reload mosquitto",
    kick="systemctl restart mosquitto cuts everybody; a `topic deny #` in topics.acl and a reload silences one client",
    depth="no limit of its own",
    resumption="off, by OPENSSL_CONF: Mosquitto itself has no setting, and an expired certificate would go on resuming",
    broken_crl=(
        "on reload it goes on without any revocation (fails open); on start it refuses to start. So the file is"
        " checked before it is put in place, by `handfast crl`, and never edited by hand"
    ),
    harms={**USUAL_HARMS, BrokenCrl.TRUNCATED: Harm.LET_IN, BrokenCrl.EMPTY: Harm.LET_IN},
    crl_scope=CrlScope.LEAF_ISSUER,
    weaknesses=(
        Weakness(
            Case.BARE,
            "Mosquitto takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; deny the topics of one that exists in topics.acl",
        ),
    ),
    options=(Option("topics", "devices/%u/#", "the topics of a client; %u is its common name"),),
)
