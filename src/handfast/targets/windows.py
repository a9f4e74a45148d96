"""Windows: a person's certificate and the root in the user's stores, for Edge, Chrome and everything on SChannel."""

import json

from handfast.targets.contract import (
    CrlForm,
    CrlScope,
    Group,
    Identity,
    IdentityForm,
    Option,
    RenderedFile,
    Setting,
    Status,
    Target,
)

SCRIPT = "Import-Handfast.ps1"

_SCRIPT = """\
# Gives a person's certificate to Windows, as that person: .\\Import-Handfast.ps1 alice.p12 root.pem
# Written by handfast. It asks for the password that came with the file.
param([Parameter(Mandatory)] [string] $P12, [Parameter(Mandatory)] [string] $Root)
$ErrorActionPreference = "Stop"

# Windows shows the root's fingerprint and asks: compare it with the one that you were told.
Import-Certificate -FilePath $Root -CertStoreLocation Cert:\\CurrentUser\\Root | Out-Null

# Without -Exportable the key cannot be taken out again through Windows.
$Password = Read-Host -AsSecureString "password of $P12"
Import-PfxCertificate -FilePath $P12 -CertStoreLocation Cert:\\CurrentUser\\My -Password $Password | Out-Null
@POLICY@Write-Output "done: open https://@NAME@"
"""
_POLICY = """\

# Edge and Chrome pick the certificate by themselves. Policies need an administrator; without them the browser asks.
$Entry = '@ENTRY@'
foreach ($Browser in "Microsoft\\Edge", "Google\\Chrome") {
    $Key = "HKLM:\\SOFTWARE\\Policies\\$Browser\\AutoSelectCertificateForUrls"
    New-Item -Path $Key -Force | Out-Null
    Set-ItemProperty -Path $Key -Name 1 -Value $Entry
}
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """A script for PowerShell."""
    issuer = target.option(setting, "issuer")
    wanted = {"ISSUER": {"CN": issuer}} if issuer else {}
    entry = json.dumps({"pattern": f"https://{setting.name}", "filter": wanted}).replace("'", "''")
    policy = _POLICY.replace("@ENTRY@", entry) if target.option(setting, "policy") == "yes" else ""
    script = _SCRIPT.replace("@POLICY@", policy).replace("@NAME@", setting.name)
    return (RenderedFile(setting.file(SCRIPT), script, comment="run by the person, in PowerShell"),)


target = Target(
    name="windows",
    title="Windows (Edge, Chrome, SChannel)",
    group=Group.DEVICE,
    status=Status.WRITTEN,
    render=render,
    directory="/opt/handfast/windows",
    install=(
        "handfast export alice --format p12 (before Windows 10 1709 and Server 2019: --format p12-legacy)",
        f"bring alice.p12, root.pem and {SCRIPT} to the person",
        f"powershell -ExecutionPolicy Bypass -File {SCRIPT} alice.p12 root.pem",
    ),
    minimum="Windows 10",
    kick="remove the certificate from Cert:\\CurrentUser\\My; the server decides who gets in",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity_form=IdentityForm.NONE,
    identity=Identity("the user's certificate store", "the TLS handshake"),
    refusals=(),
    options=(
        Option("policy", "no", "yes: also write the policy by which Edge and Chrome pick the certificate"),
        Option("issuer", "", "pick only certificates of this CA, by the common name of the issuing CA"),
    ),
)
