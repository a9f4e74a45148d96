"""EMQX 5: an MQTT listener that lets clients in by certificate, known by their common name."""

from json import dumps

from handfast.targets.contract import (
    Case,
    CrlForm,
    CrlScope,
    Group,
    Identity,
    Level,
    RenderedFile,
    Setting,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import heading

CONFIG = "emqx-mtls.conf"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """A part of emqx.conf; the listener takes the place of the one called default."""
    versions = '["tlsv1.3"]' if setting.level is Level.MODERN else '["tlsv1.3", "tlsv1.2"]'
    lines = [
        "listeners.ssl.default {",
        f'  bind = "{setting.listen or "0.0.0.0"}:{setting.port}"',  # noqa: S104  # a server is for everybody
        "  ssl_options {",
        f"    certfile = {dumps(setting.certificate)}",
        f"    keyfile = {dumps(setting.key)}",
        "    # Who may come: holders of a certificate below these roots. Clients send their intermediates.",
        f"    cacertfile = {dumps(setting.client_ca)}",
        "    verify = verify_peer",
        "    # Without this one, a client that shows no certificate comes in.",
        "    fail_if_no_peer_cert = true",
        f"    depth = {setting.depth}",
        f"    versions = {versions}",
        "    # A session would be resumed without a look at its certificate.",
        "    reuse_sessions = false",
        "  }",
        "}",
        "",
        "# The common name is the user name in access rules, whatever the client says of itself.",
        "mqtt.peer_cert_as_username = cn",
    ]
    content = heading(f"Mutual TLS for {setting.name}: include this in emqx.conf.") + "\n".join(lines) + "\n"
    return (RenderedFile(setting.file(CONFIG), content, comment="a part of emqx.conf"),)


target = Target(
    name="emqx",
    title="EMQX",
    group=Group.MESSAGING,
    status=Status.WRITTEN,
    render=render,
    directory="/etc/emqx/handfast",
    port=8883,
    install=(
        "chgrp emqx DIR/server.key && chmod 640 DIR/server.key",
        f"echo 'include \"DIR/{CONFIG}\"' >> /etc/emqx/emqx.conf && systemctl restart emqx",
    ),
    minimum="5.0",
    test="emqx check_config",
    reload="systemctl restart emqx",
    kick="emqx ctl clients kick CLIENT-ID; or a ban by user name, which lasts",
    depth="a CA certificate counts one: 2 for root and issuing",
    resumption="off for TLS 1.2 by reuse_sessions; off for TLS 1.3 by Erlang's own default",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity=Identity("the common name", "the user name in access rules"),
    refusals=(),
    weaknesses=(
        Weakness(
            Case.REVOKED,
            "the CRL check of EMQX fetches from the URL in each certificate, and is not rendered here",
            "ban the user name: emqx ctl, or the dashboard, Access Control, Banned Clients; then kick the client",
        ),
    ),
)
