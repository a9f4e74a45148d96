"""iPhone, iPad and Mac: a configuration profile with the root and a place for the person's certificate."""

import plistlib
import uuid

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

PROFILE, BUILD = "handfast.mobileconfig", "build-profile.sh"
# A place in the profile that the script fills; a profile is text, and this is where base64 stands.
ROOT_PLACE, P12_PLACE = b"@ROOT@", b"@P12@"

_SCRIPT = """\
#!/bin/sh
# Puts the root and a person's certificate into the profile, and signs it: build-profile.sh alice.p12 alice.mobileconfig
# Written by handfast. The .p12 has to be of the old kind: handfast export alice --format p12-legacy
# Signing needs SIGNER, SIGNER_KEY and SIGNER_CHAIN, the certificates above SIGNER; without them the profile stays
# unsigned, and the device says so in red. It asks for the password of the .p12 when it installs the profile.
set -eu
p12=$1
out=$2
root=$(openssl x509 -in @CLIENT_CA@ -outform DER | openssl base64 -A)
identity=$(openssl base64 -A -in "$p12")
umask 077
unsigned=$(mktemp)
trap 'rm -f "$unsigned"' EXIT
# base64 has no letter that means anything to sed here; QFJPT1RA and QFAxMkA= are the places in the profile.
{
    echo "s|QFJPT1RA|$root|"
    echo "s|QFAxMkA=|$identity|"
} | sed -f - @PROFILE@ >"$unsigned"
if [ -n "${SIGNER:-}" ]; then
    openssl cms -sign -nodetach -binary -outform DER -md sha256 -signer "$SIGNER" -certfile "$SIGNER_CHAIN" \\
        -inkey "$SIGNER_KEY" -in "$unsigned" -out "$out"
else
    cp "$unsigned" "$out"
fi
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The profile with places for what is secret, and the script that fills and signs it."""
    script = _SCRIPT.replace("@CLIENT_CA@", f'"{setting.client_ca}"')
    script = script.replace("@PROFILE@", f'"{setting.file(PROFILE)}"')
    return (
        RenderedFile(setting.file(PROFILE), profile(setting), comment="the profile, still without certificates"),
        RenderedFile(setting.file(BUILD), script, 0o755, "fills the profile for one person, and signs it"),
    )


def profile(setting: Setting) -> str:
    """The property list (Apple, Configuration Profile Reference): root, identity, and Wi-Fi when a network is named."""
    identity = _payload(setting, "com.apple.security.pkcs12", "Your certificate", PayloadContent=P12_PLACE)
    root = _payload(setting, "com.apple.security.root", "Root certificate", PayloadContent=ROOT_PLACE)
    payloads = [root, identity]
    network = target.option(setting, "ssid")
    if network:
        payloads.append(_wifi(setting, network, root=str(root["PayloadUUID"]), identity=str(identity["PayloadUUID"])))
    outer = _payload(setting, "Configuration", f"Certificate for {setting.name}", PayloadContent=payloads)
    return plistlib.dumps(outer).decode()


def _payload(setting: Setting, kind: str, title: str, **content: object) -> dict[str, object]:
    """Identifiers stay the same for the same server, so that a newer profile replaces the older."""
    identifier = f"{'.'.join(reversed(setting.name.split('.')))}.handfast.{kind.rpartition('.')[2].lower()}"
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://{setting.name}/{kind}")).upper(),
        "PayloadDisplayName": title,
        **content,
    }


def _wifi(setting: Setting, network: str, *, root: str, identity: str) -> dict[str, object]:
    eap = {
        "AcceptEAPTypes": [13],
        "TLSMinimumVersion": "1.2",
        "PayloadCertificateAnchorUUID": [root],
        "TLSTrustedServerNames": list(setting.names),
    }
    return _payload(
        setting,
        "com.apple.wifi.managed",
        network,
        SSID_STR=network,
        AutoJoin=True,
        EncryptionType="WPA2",
        PayloadCertificateUUID=identity,
        EAPClientConfiguration=eap,
    )


target = Target(
    name="apple",
    title="iPhone, iPad, Mac (profile)",
    group=Group.DEVICE,
    status=Status.CHECKED,
    render=render,
    directory="/opt/handfast/apple",
    install=(
        "handfast export alice --format p12-legacy --out alice.p12",
        "export SIGNER=signer.pem SIGNER_KEY=signer.key SIGNER_CHAIN=issuing.pem",
        f"DIR/{BUILD} alice.p12 alice.mobileconfig",
        "open alice.mobileconfig on the device, from a web page or a mail; install it in Settings, Profile Downloaded",
        "on iPhone and iPad, for a root that came by hand: Settings, General, About, Certificate Trust Settings",
    ),
    minimum="iOS 12, macOS 10.14",
    kick="remove the profile, by hand or through device management: the certificate goes with it",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity_form=IdentityForm.NONE,
    identity=Identity("the certificate in the profile", "the TLS handshake, or EAP-TLS"),
    refusals=(),
    options=(Option("ssid", "", "the name of a Wi-Fi network to join by EAP-TLS with this certificate"),),
)
