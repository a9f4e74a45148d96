"""Kubernetes, ingress-nginx: the secret with client CAs and CRLs, and an Ingress that asks for certificates."""

from handfast.targets.contract import (
    CrlForm,
    CrlScope,
    Group,
    Identity,
    Option,
    RenderedFile,
    Setting,
    Status,
    Target,
)

CONFIG, SECRETS = "ingress-mtls.yaml", "make-secrets.sh"
_PREFIX = "nginx.ingress.kubernetes.io"

_SECRETS = """\
#!/bin/sh
# Gives the cluster the server's certificate, the client CAs and the CRLs. Run it again after every new CRL: the
# controller reads the secret again by itself. Written by handfast.
set -eu
kubectl -n @NAMESPACE@ create secret tls handfast-server --dry-run=client -o yaml \\
    --cert="@CERTIFICATE@" --key="@KEY@" | kubectl apply -f -
kubectl -n @NAMESPACE@ create secret generic handfast-clients --dry-run=client -o yaml \\
    --from-file=ca.crt="@CLIENT_CA@" --from-file=ca.crl="@CRL@" | kubectl apply -f -
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The Ingress, and the script that makes its secrets, since keys have no place in a manifest."""
    words = {"NAMESPACE": _option(setting, "namespace"), "CERTIFICATE": setting.certificate, "KEY": setting.key,
             "CLIENT_CA": setting.client_ca, "CRL": setting.crl}  # fmt: skip
    script = _SECRETS
    for name, word in words.items():
        script = script.replace(f"@{name}@", word)
    return (
        RenderedFile(setting.file(CONFIG), _ingress(setting), comment="kubectl apply -f"),
        RenderedFile(setting.file(SECRETS), script, 0o755, "gives the cluster certificates and CRLs"),
    )


def _option(setting: Setting, name: str) -> str:
    return target.option(setting, name)


def _ingress(setting: Setting) -> str:
    namespace = _option(setting, "namespace")
    lines = [
        f"# Mutual TLS for {setting.name} with ingress-nginx. Written by handfast.",
        "apiVersion: networking.k8s.io/v1",
        "kind: Ingress",
        "metadata:",
        "  name: handfast-mtls",
        f"  namespace: {namespace}",
        "  annotations:",
        "    # ca.crt has the roots, ca.crl one CRL for every CA in the chain.",
        f"    {_PREFIX}/auth-tls-secret: {namespace}/handfast-clients",
        f'    {_PREFIX}/auth-tls-verify-client: "on"',
        "    # 1, the default, refuses everybody below an issuing CA.",
        f'    {_PREFIX}/auth-tls-verify-depth: "{setting.depth}"',
        "    # The application gets the certificate in ssl-client-cert, URL-encoded.",
        f'    {_PREFIX}/auth-tls-pass-certificate-to-upstream: "true"',
        "spec:",
        "  ingressClassName: nginx",
        "  tls:",
        f"    - hosts: [{', '.join(setting.names)}]",
        "      secretName: handfast-server",
        "  rules:",
    ]
    for name in setting.names:
        lines += [
            f"    - host: {name}",
            "      http:",
            "        paths:",
            "          - path: /",
            "            pathType: Prefix",
            "            backend:",
            f"              service: {{ name: {_option(setting, 'service')}, port: {{ number: 80 }} }}",
        ]
    return "\n".join(lines) + "\n"


target = Target(
    name="ingress-nginx",
    title="Kubernetes, ingress-nginx",
    group=Group.CLOUD,
    status=Status.CHECKED,
    render=render,
    directory="/opt/handfast/kubernetes",
    install=(
        f"DIR/{SECRETS}",
        f"kubectl apply -f DIR/{CONFIG}",
        'in the controller\'s ConfigMap: ssl-session-cache: "false"; with its shared cache a revoked client resumes',
    ),
    minimum="1.9",
    test=f"kubectl apply --dry-run=server -f DIR/{CONFIG}",
    reload=f"DIR/{SECRETS}: the controller sees that the secret has changed",
    kick="kubectl rollout restart the controller",
    depth="a CA certificate counts one: 2 for root and issuing",
    resumption="open by the controller's default; the ConfigMap entry above closes it",
    broken_crl="the controller's nginx does not reload with one, and what was before stays in force",
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.WHOLE_CHAIN,
    identity=Identity("the TLS connection", "ssl-client-cert, ssl-client-verify, ssl-client-subject-dn"),
    refusals=(),
    options=(
        Option("namespace", "default", "the namespace of the Ingress and its secrets"),
        Option("service", "application", "the Service behind it, on port 80"),
    ),
)
