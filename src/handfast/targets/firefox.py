"""Firefox: a person's certificate in the profile's NSS database, and a policy that trusts the root and picks it."""

import json

from handfast.targets.contract import (
    CrlForm,
    CrlScope,
    Group,
    Identity,
    IdentityForm,
    RenderedFile,
    Setting,
    Status,
    Target,
)

IMPORT, POLICY = "import-into-firefox.sh", "policies.json"

_SCRIPT = """\
#!/bin/sh
# Gives a person's certificate to Firefox, as that person, while it is closed: import-into-firefox.sh alice.p12
# Written by handfast. Needs pk12util: apt-get install libnss3-tools
set -eu
p12=$1
# The profile in use is named in about:profiles; PROFILE=DIR says another one.
profile=${PROFILE:-$(ls -d "$HOME"/.mozilla/firefox/*.default-esr "$HOME"/.mozilla/firefox/*.default-release \\
    2>/dev/null | head -n 1)}
if [ -z "$profile" ] || [ ! -d "$profile" ]; then
    echo "no profile of Firefox is there: start it once, or say PROFILE=DIR" >&2
    exit 1
fi
[ -e "$profile/cert9.db" ] || certutil -d "sql:$profile" -N --empty-password

# Asks for the password that came with the file; with PASSWORD_FILE it reads it from there.
if [ -n "${PASSWORD_FILE:-}" ]; then
    pk12util -d "sql:$profile" -i "$p12" -w "$PASSWORD_FILE"
else
    pk12util -d "sql:$profile" -i "$p12"
fi
echo "done: start Firefox, and open https://@NAME@"
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """A script for the person, and a policy for the administrator of the machine."""
    script = _SCRIPT.replace("@NAME@", setting.name)
    return (
        RenderedFile(setting.file(IMPORT), script, 0o755, "run by the person, with their .p12"),
        RenderedFile(setting.file(POLICY), policy(setting), comment="trusts the root, and picks the certificate"),
    )


def policy(setting: Setting) -> str:
    """The root for web sites, and no question which certificate to show: Firefox picks one that the site accepts."""
    preference = {"Value": "Select Automatically", "Status": "default"}
    policies = {
        "Certificates": {"Install": [setting.client_ca]},
        "Preferences": {"security.default_personal_cert": preference},
    }
    return json.dumps({"policies": policies}, indent=2) + "\n"


target = Target(
    name="firefox",
    title="Firefox",
    group=Group.BROWSER,
    status=Status.CHECKED,
    render=render,
    directory="/opt/handfast/browser",
    packages=("libnss3-tools",),
    install=(
        f"as the person, with Firefox closed: DIR/{IMPORT} alice.p12",
        f"as root: install -D -m 644 DIR/{POLICY} /etc/firefox/policies/{POLICY} (where one is already, merge them)",
        "look at about:policies; without the policy Firefox asks which certificate to show",
    ),
    minimum="68; it takes both PKCS#12 flavours: handfast export --format p12 or p12-legacy",
    kick="the server's affair: a browser keeps its connections until it is closed",
    depth="the browser's affair: the .p12 carries the intermediates",
    resumption="the server's affair",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity_form=IdentityForm.NONE,
    identity=Identity("the certificate in the profile's NSS database", "the TLS handshake"),
    refusals=(),
)
