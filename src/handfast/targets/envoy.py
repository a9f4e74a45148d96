"""Envoy: ends TLS in front of an application, and speaks mutual TLS to it too, by SPIFFE names, when asked to."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    Check,
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
from handfast.targets.python_tls import fill

CONFIG = "envoy-mtls.yaml"
OWN, CLIENTS = "sds-own.yaml", "sds-clients.yaml"
_TYPE = "type.googleapis.com/envoy.extensions"

_MAIN = """\
# Mutual TLS for @NAME@: envoy -c @DIRECTORY@/envoy-mtls.yaml
# Written by handfast. Certificates and CRLs are read again as soon as their files are replaced.

node: { id: handfast, cluster: handfast }

static_resources:
  listeners:
    - name: mtls
      address: { socket_address: { address: "@LISTEN@", port_value: @PORT@ } }
      # A line for every connection that ends; tls= is why a handshake was refused, which the client is not told.
      access_log:
        - name: envoy.access_loggers.stdout
          typed_config:
            "@type": @TYPE@.access_loggers.stream.v3.StdoutAccessLog
            log_format:
              text_format_source:
                inline_string: "%DOWNSTREAM_REMOTE_ADDRESS% tls=%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\\n"
      filter_chains:
        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": @TYPE@.transport_sockets.tls.v3.DownstreamTlsContext
              require_client_certificate: true
              # Nobody comes back with a session from before a revocation.
              disable_stateless_session_resumption: true
              disable_stateful_session_resumption: true
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                # Mozilla Server Side TLS 6.0, @LEVEL@.
                tls_params:
                  tls_minimum_protocol_version: @VERSION@
                  tls_maximum_protocol_version: TLSv1_3
                  ecdh_curves: [X25519, P-256, P-384]
@CIPHERS@                tls_certificate_sds_secret_configs:
                  - name: own
                    sds_config: { path_config_source: { path: "@DIRECTORY@/sds-own.yaml" } }
                validation_context_sds_secret_config:
                  name: clients
                  sds_config: { path_config_source: { path: "@DIRECTORY@/sds-clients.yaml" } }
          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": @TYPE@.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: mtls
                # The identity for the application, in headers that a client cannot set. Names with an underscore,
                # which many frameworks take for the same header, are dropped.
                forward_client_cert_details: SANITIZE_SET
                set_current_client_cert_details: { subject: true, uri: true, dns: true, cert: true }
                common_http_protocol_options: { headers_with_underscores_action: DROP_HEADER }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": @TYPE@.filters.http.router.v3.Router }
                route_config:
                  request_headers_to_remove: [client-cert, client-cert-chain, x-client-cert]
                  request_headers_to_add:
                    - header: { key: x-client-subject, value: "%DOWNSTREAM_PEER_SUBJECT%" }
                      append_action: OVERWRITE_IF_EXISTS_OR_ADD
                    - header: { key: x-client-serial, value: "%DOWNSTREAM_PEER_SERIAL%" }
                      append_action: OVERWRITE_IF_EXISTS_OR_ADD
                    - header: { key: x-client-verify, value: SUCCESS }
                      append_action: OVERWRITE_IF_EXISTS_OR_ADD
                  virtual_hosts:
                    - name: application
                      domains: ["*"]
                      routes:
                        - match: { prefix: / }
@ROUTE@"""

_GREETING = """\
                          # Put your application here; this line greets.
                          direct_response: { status: 200, body: { inline_string: "hello\\n" } }
"""
_TO_CLUSTER = """\
                          route: { cluster: application }

  clusters:
    - name: application
      type: STRICT_DNS
      connect_timeout: 5s
      load_assignment:
        cluster_name: application
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address: { socket_address: { address: "@UP_HOST@", port_value: @UP_PORT@ } }
"""
_MUTUAL = """\
      # Mutual TLS to the application: our own certificate is the client's there, and needs clientAuth; the application
      # is known by the URI in its certificate, not by its host name.
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": @TYPE@.transport_sockets.tls.v3.UpstreamTlsContext
          common_tls_context:
            tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }
            tls_certificate_sds_secret_configs:
              - name: own
                sds_config: { path_config_source: { path: "@DIRECTORY@/sds-own.yaml" } }
            validation_context:
              trusted_ca: { filename: "@CLIENT_CA@" }
              match_typed_subject_alt_names:
                - { san_type: URI, matcher: { exact: "@UP_URI@" } }
"""
_OWN = """\
# Our own certificate, followed by its intermediates, and its key.
resources:
  - "@type": @TYPE@.transport_sockets.tls.v3.Secret
    name: own
    tls_certificate:
      certificate_chain: { filename: "@CERTIFICATE@" }
      private_key: { filename: "@KEY@" }
      watched_directory: { path: "@DIRECTORY@" }
"""
_CLIENTS = """\
# Who may come: holders of a certificate below these roots. Clients send their intermediates.
# The CRL file holds one for every CA in the chain, the root too: without one of them nobody gets in.
resources:
  - "@type": @TYPE@.transport_sockets.tls.v3.Secret
    name: clients
    validation_context:
      trusted_ca: { filename: "@CLIENT_CA@" }
      crl: { filename: "@CRL@" }
      watched_directory: { path: "@DIRECTORY@" }
@CLIENT_URI@"""
_CLIENT_URI = """\
      # Only these services, by the URI in their certificate.
      match_typed_subject_alt_names:
        - { san_type: URI, matcher: { prefix: "@PREFIX@" } }
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The bootstrap configuration, and two files of secrets, which is how Envoy reads certificates again."""
    words = _words(setting)
    return tuple(
        RenderedFile(setting.file(name), fill(fill(source, words), words), comment=comment)
        for name, source, comment in (
            (CONFIG, _MAIN, "the configuration: envoy -c"),
            (OWN, _OWN, "where the server's certificate is"),
            (CLIENTS, _CLIENTS, "where the client CAs and CRLs are"),
        )
    )


def _words(setting: Setting) -> dict[str, str]:
    modern = setting.level is Level.MODERN
    prefix = target.option(setting, "client-uri")
    ciphers = f"                  cipher_suites: [{', '.join(mozilla.CIPHERS)}]\n"
    host, _, port = setting.upstream.rpartition(":")
    return {
        "ROUTE": _route(setting),
        "CIPHERS": "" if modern else ciphers,
        "CLIENT_URI": _CLIENT_URI if prefix else "",
        "PREFIX": prefix,
        "UP_URI": target.option(setting, "upstream-uri"),
        "UP_HOST": host,
        "UP_PORT": port,
        "NAME": setting.name,
        "TYPE": _TYPE,
        "DIRECTORY": setting.directory,
        "LISTEN": setting.listen or "0.0.0.0",  # noqa: S104  # a server is for everybody, unless it is told otherwise
        "PORT": str(setting.port),
        "LEVEL": setting.level,
        "VERSION": "TLSv1_3" if modern else "TLSv1_2",
        "CERTIFICATE": setting.certificate,
        "KEY": setting.key,
        "CLIENT_CA": setting.client_ca,
        "CRL": setting.crl,
    }


def _route(setting: Setting) -> str:
    if not setting.upstream:
        return _GREETING
    return _TO_CLUSTER + (_MUTUAL if target.option(setting, "upstream-uri") else "")


def check(setting: Setting) -> Check:
    """`envoy --mode validate`."""
    return Check(("envoy", "--mode", "validate", "--log-level", "error", "-c", setting.file(CONFIG)))


target = Target(
    name="envoy",
    title="Envoy",
    group=Group.WEB,
    status=Status.PROVEN,
    render=render,
    check=check,
    executable="envoy",
    directory="/etc/envoy/handfast",
    install=("chgrp envoy DIR/server.key && chmod 640 DIR/server.key", f"envoy -c DIR/{CONFIG}"),
    minimum="1.30",
    test=f"envoy --mode validate -c DIR/{CONFIG}",
    reload="none needed: replaced files are read at once, when they were moved into their place",
    kick="restart Envoy, or POST /drain_listeners?graceful on its admin interface",
    depth="max_verify_depth of the validation context; not set, so BoringSSL's limit of 100 holds",
    resumption="off, with and without tickets",
    broken_crl="a file that does not load is refused, and what was loaded before stays in force; an empty one counts "
    "as none, and may let in who was revoked; one that has ended, or misses a CA's, refuses all",
    harms={**USUAL_HARMS, BrokenCrl.EMPTY: Harm.LET_IN},
    identity=Identity(
        "%DOWNSTREAM_PEER_SUBJECT%, %DOWNSTREAM_PEER_SERIAL%",
        "X-Forwarded-Client-Cert, X-Client-Subject, X-Client-Serial, X-Client-Verify",
    ),
    refusals=(
        Refusal(
            Case.NO_CERTIFICATE,
            "alert certificate required (TLS 1.2: handshake failure)",
            "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        ),
        Refusal(Case.SELF_SIGNED, "alert unknown ca", "CERTIFICATE_VERIFY_FAILED"),
        Refusal(Case.OTHER_CA, "alert unknown ca", "CERTIFICATE_VERIFY_FAILED"),
        Refusal(Case.EXPIRED, "alert certificate expired", "expired"),
        Refusal(Case.NOT_YET_VALID, "alert certificate expired", "not_yet_valid"),
        Refusal(Case.SERVER_ONLY, "alert unsupported certificate", "purpose"),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca", "CERTIFICATE_VERIFY_FAILED"),
        Refusal(Case.REVOKED, "alert certificate revoked", "revoked"),
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "BoringSSL takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; or set client-uri, which such a certificate lacks",
        ),
    ),
    options=(
        Option("upstream-uri", "", "speak mutual TLS to the upstream, whose certificate has this URI (spiffe://...)"),
        Option("client-uri", "", "let in only clients whose certificate has a URI that begins with this"),
    ),
)
