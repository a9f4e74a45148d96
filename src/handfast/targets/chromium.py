"""Chromium, Chrome and Edge on Linux: a person's certificate in the NSS database, and a policy that picks it."""

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

IMPORT, POLICY = "import-certificate.sh", "handfast-auto-select.json"

_SCRIPT = """\
#!/bin/sh
# Gives a person's certificate to Chromium, Chrome or Edge, as that person: import-certificate.sh alice.p12
# Written by handfast. Needs certutil and pk12util: apt-get install libnss3-tools
set -eu
p12=$1
database=${NSS_DATABASE:-$HOME/.pki/nssdb}

mkdir -p "$database"
chmod 700 "$database"
# A new database without a password of its own: the home directory protects it, as it does the browser's passwords.
[ -e "$database/cert9.db" ] || certutil -d "sql:$database" -N --empty-password

# C: sites whose certificates come from this root are trusted. No T: it vouches for no clients here.
certutil -d "sql:$database" -A -n @NICKNAME@ -t C,, -i @ROOT@

# Asks for the password that came with the file; with -w FILE it reads it from there.
if [ -n "${PASSWORD_FILE:-}" ]; then
    pk12util -d "sql:$database" -i "$p12" -w "$PASSWORD_FILE"
else
    pk12util -d "sql:$database" -i "$p12"
fi
echo "done: restart the browser, and open https://@NAME@"
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """A script for the person, and a policy for the administrator of the machine."""
    nickname = f'"handfast root for {setting.name}"'
    script = _SCRIPT.replace("@NICKNAME@", nickname).replace("@ROOT@", f'"{setting.client_ca}"')
    return (
        RenderedFile(
            setting.file(IMPORT), script.replace("@NAME@", setting.name), 0o755, "run by the person, with their .p12"
        ),
        RenderedFile(setting.file(POLICY), policy(setting), comment="the browser picks the certificate by itself"),
    )


def policy(setting: Setting) -> str:
    """AutoSelectCertificateForUrls: each entry is JSON in a string, as the browser wants it."""
    issuer = target.option(setting, "issuer")
    wanted = {"ISSUER": {"CN": issuer}} if issuer else {}
    port = "" if setting.port == 443 else f":{setting.port}"
    entries = [json.dumps({"pattern": f"https://{name}{port}", "filter": wanted}) for name in setting.names]
    return json.dumps({"AutoSelectCertificateForUrls": entries}, indent=2) + "\n"


target = Target(
    name="chromium",
    title="Chromium, Chrome, Edge (Linux)",
    group=Group.BROWSER,
    status=Status.CHECKED,
    render=render,
    directory="/opt/handfast/browser",
    packages=("libnss3-tools",),
    install=(
        f"as the person: DIR/{IMPORT} alice.p12",
        f"as root, for Chromium: install -D -m 644 DIR/{POLICY} /etc/chromium/policies/managed/{POLICY}",
        "for Chrome the directory is /etc/opt/chrome/policies/managed, for Edge /etc/opt/edge/policies/managed",
        "look at chrome://policy; without the policy the browser asks which certificate to show",
    ),
    minimum="NSS 3.87; it takes both PKCS#12 flavours: handfast export --format p12 or p12-legacy",
    kick="the server's affair: a browser keeps its connections until it is closed",
    depth="the browser's affair: the .p12 carries the intermediates",
    resumption="the server's affair",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity_form=IdentityForm.NONE,
    identity=Identity("the certificate in the NSS database", "the TLS handshake"),
    refusals=(),
    options=(Option("issuer", "", "pick only certificates of this CA, by the common name of the issuing CA"),),
)
