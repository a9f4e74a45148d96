"""RabbitMQ 3.10: an AMQP broker whose users come in by certificate (mechanism EXTERNAL), and by nothing else."""

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

CONFIG, PLUGINS = "advanced.config", "enabled_plugins"
# Erlang's list of suites is for all versions at once.
_TLS_1_3 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The broker's configuration, and the plugin that it needs."""
    return (
        RenderedFile(setting.file(CONFIG), _config(setting), comment="the broker: rabbitmq.conf cannot say all of it"),
        RenderedFile(setting.file(PLUGINS), "[rabbitmq_auth_mechanism_ssl].\n", comment="plugins to switch on"),
    )


def _config(setting: Setting) -> str:
    return f"""\
%% AMQP over mutual TLS for {setting.name}, by handfast: clients come in by certificate only.
%% What stands here wins over rabbitmq.conf, so keep listeners and ssl_options out of that.
[
  {{rabbit, [
    %% No listener without TLS.
    {{tcp_listeners, []}},
    {{ssl_listeners, [{_listener(setting)}]}},

    %% The user is the common name of the certificate; passwords do not count.
    {{auth_mechanisms, ['EXTERNAL']}},
    {{ssl_cert_login_from, common_name}},

    {{ssl_options, [
      %% Our own certificate, followed by its intermediates, and its key.
      {{certfile, "{setting.certificate}"}},
      {{keyfile, "{setting.key}"}},

      %% Who may come: holders of a certificate below these roots.
      %% The depth counts the CA certificates between the client's own and the root.
      {{cacertfile, "{setting.client_ca}"}},
      {{verify, verify_peer}},
      {{fail_if_no_peer_cert, true}},
      {{depth, {setting.depth}}},

      %% A directory with the CRL of every CA, named as `openssl rehash` does. It is read at each handshake.
      {{crl_check, true}},
      {{crl_cache, {{ssl_crl_hash_dir, {{internal, [{{dir, "{setting.crl}"}}]}}}}}},

      %% A resumed session is not checked against the CRL: every connection is a full handshake.
      {{reuse_sessions, false}},

      %% Mozilla Server Side TLS 6.0, {setting.level}.
{_tls(setting.level)}
    ]}}
  ]}}
].
"""


def _listener(setting: Setting) -> str:
    return f'{{"{setting.listen}", {setting.port}}}' if setting.listen else str(setting.port)


def _tls(level: Level) -> str:
    modern = level is Level.MODERN
    versions = "'tlsv1.3'" if modern else "'tlsv1.3', 'tlsv1.2'"
    suites = _TLS_1_3 if modern else (*_TLS_1_3, *mozilla.CIPHERS)
    listed = ",\n".join(f'        "{suite}"' for suite in suites)
    return f"      {{versions, [{versions}]}},\n      {{ciphers, [\n{listed}\n      ]}}"


_ALERT = "SERVER ALERT: Fatal - "

target = Target(
    name="rabbitmq",
    title="RabbitMQ",
    group=Group.MESSAGING,
    status=Status.PROVEN,
    render=render,
    directory="/etc/rabbitmq/handfast",
    install=(
        "let the broker read the private key: chgrp rabbitmq on its file, mode 640",
        f"ln -sf DIR/{CONFIG} /etc/rabbitmq/advanced.config",
        "rabbitmq-plugins enable rabbitmq_auth_mechanism_ssl",
        "systemctl restart rabbitmq-server",
        "for each client: rabbitmqctl add_user NAME PASSWORD && rabbitmqctl clear_password NAME",
        "for each client: rabbitmqctl set_permissions NAME '^NAME' '^NAME' '^NAME'",
    ),
    minimum="3.10",
    executable="rabbitmq-server",
    packages=("rabbitmq-server",),
    port=5671,
    identity=Identity(
        "the common name of the subject (ssl_cert_login_from), which must be a user of the broker",
        "as the user: permissions, user_id of messages, the log",
    ),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "alert certificate required; TLS 1.2: alert handshake failure", _ALERT),
        Refusal(Case.SELF_SIGNED, "alert bad certificate", f"{_ALERT}Bad Certificate"),
        Refusal(Case.OTHER_CA, "alert unknown ca", f"{_ALERT}Unknown CA"),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca", f"{_ALERT}Unknown CA"),
        Refusal(Case.EXPIRED, "alert certificate expired", f"{_ALERT}Certificate Expired"),
        # Erlang does not tell the two apart.
        Refusal(Case.NOT_YET_VALID, "alert certificate expired", f"{_ALERT}Certificate Expired"),
        Refusal(Case.SERVER_ONLY, "alert handshake failure", "{bad_cert,invalid_ext_key_usage}"),
        Refusal(Case.REVOKED, "alert certificate revoked", f"{_ALERT}Certificate Revoked"),
    ),
    reload="none is needed: the CRL directory is read at each handshake",
    kick="rabbitmqctl close_all_user_connections NAME revoked",
    depth="depth counts the CA certificates between the leaf and the root; for root and issuing CA, 1 is enough too",
    resumption="off: reuse_sessions is false; with it, a revoked client comes back by its TLS 1.2 session",
    broken_crl=(
        "without a CRL that it can read it refuses everybody. So files are checked before they are put in place, by"
        " handfast, which replaces each as a whole"
    ),
    harms={**USUAL_HARMS, BrokenCrl.TRUNCATED: Harm.LOCKED_OUT, BrokenCrl.EMPTY: Harm.LOCKED_OUT},
    crl=CrlForm.DIRECTORY,
    crl_scope=CrlScope.WHOLE_CHAIN,
    weaknesses=(
        Weakness(
            Case.BARE,
            "RabbitMQ takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; delete the user of one that exists",
        ),
    ),
)
