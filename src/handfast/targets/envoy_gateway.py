"""Kubernetes Gateway API with Envoy Gateway: a Gateway, its route, and the policy that asks clients for certificates.

The Gateway API by itself knows client CAs and no revocation; the CRLs come in by Envoy Gateway's ClientTrafficPolicy.
"""

from handfast.targets import mozilla
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    CrlForm,
    CrlScope,
    Group,
    Harm,
    Identity,
    Level,
    Option,
    RenderedFile,
    Setting,
    Status,
    Target,
)

CONFIG, SECRETS = "gateway-mtls.yaml", "make-secrets.sh"

_SECRETS = """\
#!/bin/sh
# Gives the cluster the server's certificate, the client CAs and the CRLs. Run it again after every new CRL: the
# gateway takes a changed secret by itself. Written by handfast.
set -eu
kubectl -n @NAMESPACE@ create secret tls handfast-server --dry-run=client -o yaml \\
    --cert="@CERTIFICATE@" --key="@KEY@" | kubectl apply -f -
kubectl -n @NAMESPACE@ create secret generic handfast-clients --dry-run=client -o yaml \\
    --from-file=ca.crt="@CLIENT_CA@" --from-file=ca.crl="@CRL@" | kubectl apply -f -
"""

_GATEWAY = """\
# Mutual TLS for @NAME@ with Envoy Gateway. Written by handfast.
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: handfast-mtls
  namespace: @NAMESPACE@
spec:
  gatewayClassName: @CLASS@
  listeners:
@LISTENERS@
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: handfast-mtls
  namespace: @NAMESPACE@
spec:
  parentRefs:
    - name: handfast-mtls
  hostnames: [@NAMES@]
  rules:
    - backendRefs:
        - name: @SERVICE@
          port: 80
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata:
  name: handfast-mtls
  namespace: @NAMESPACE@
spec:
  # Every listener of the gateway: one without it would be a way around.
  targetRefs:
    - group: gateway.networking.k8s.io
      kind: Gateway
      name: handfast-mtls
  tls:
    # TLS as in Mozilla Server Side TLS 6.0, @LEVEL@. Session resumption is off as long as nothing turns it on: a
    # resumed session is not checked against the CRLs.
@VERSIONS@
    clientValidation:
      # ca.crt has the roots: clients send their intermediates.
      caCertificateRefs:
        - kind: Secret
          name: handfast-clients
      # ca.crl has one CRL for every CA in the chain: without one of them nobody gets in.
      crl:
        refs:
          - kind: Secret
            name: handfast-clients
  headers:
    # What a client sends under this name is thrown away.
    xForwardedClientCert:
      mode: SanitizeSet
      certDetailsToAdd: [Subject, URI, DNS, Cert]
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The resources, and the script that makes their secrets, since keys have no place in a manifest."""
    words = {
        "NAME": setting.name,
        "NAMES": ", ".join(setting.names),
        "NAMESPACE": target.option(setting, "namespace"),
        "CLASS": target.option(setting, "class"),
        "SERVICE": target.option(setting, "service"),
        "LEVEL": setting.level,
        "LISTENERS": "\n".join(_listener(name, number) for number, name in enumerate(setting.names, start=1)),
        "VERSIONS": "\n".join(_versions(setting.level)),
        "CERTIFICATE": setting.certificate,
        "KEY": setting.key,
        "CLIENT_CA": setting.client_ca,
        "CRL": setting.crl,
    }
    return (
        RenderedFile(setting.file(CONFIG), _filled(_GATEWAY, words), comment="kubectl apply -f"),
        RenderedFile(setting.file(SECRETS), _filled(_SECRETS, words), 0o755, "gives the cluster certificates and CRLs"),
    )


def _filled(text: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(f"@{name}@", word)
    return text


def _listener(name: str, number: int) -> str:
    lines = (
        f"    - name: https-{number}",
        f"      hostname: {name}",
        "      protocol: HTTPS",
        "      port: 443",
        "      tls:",
        "        mode: Terminate",
        "        certificateRefs:",
        "          - name: handfast-server",
    )
    return "\n".join(lines)


def _versions(level: Level) -> tuple[str, ...]:
    if level is Level.MODERN:
        return ('    minVersion: "1.3"',)
    return ('    minVersion: "1.2"', "    ciphers:", *(f"      - {name}" for name in mozilla.CIPHERS))


target = Target(
    name="envoy-gateway",
    title="Kubernetes Gateway API, Envoy Gateway",
    group=Group.CLOUD,
    status=Status.CHECKED,
    render=render,
    directory="/opt/handfast/kubernetes",
    install=(f"DIR/{SECRETS}", f"kubectl apply -f DIR/{CONFIG}"),
    minimum="1.6",
    test=f"kubectl apply --dry-run=server -f DIR/{CONFIG}",
    reload=f"DIR/{SECRETS}: the gateway sees that the secret has changed",
    kick="kubectl rollout restart the gateway's deployment",
    depth="not set; BoringSSL's limit of 100 holds",
    resumption="off, as long as no ClientTrafficPolicy turns it on",
    broken_crl="the controller rejects the policy of one that is empty or cut off, and says so in its status; one that "
    "has ended, or misses a CA's, refuses all",
    harms={**USUAL_HARMS, BrokenCrl.EMPTY: Harm.LOCKED_OUT, BrokenCrl.TRUNCATED: Harm.LOCKED_OUT},
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.WHOLE_CHAIN,
    identity=Identity("the TLS connection", "X-Forwarded-Client-Cert: Hash, Subject, URI, DNS and Cert"),
    refusals=(),
    options=(
        Option("namespace", "default", "the namespace of the Gateway and its secrets"),
        Option("class", "eg", "the GatewayClass that Envoy Gateway serves"),
        Option("service", "application", "the Service behind it, on port 80"),
    ),
)
