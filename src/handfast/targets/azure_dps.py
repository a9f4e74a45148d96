"""Azure Device Provisioning Service: the issuing CA verified and enrolled as a group, by the Azure command line."""

from handfast.targets.contract import (
    Case,
    CrlForm,
    CrlScope,
    Group,
    Identity,
    IdentityForm,
    RenderedFile,
    Setting,
    Status,
    Target,
    Weakness,
)

ENROL = "enrol-group.sh"

_SCRIPT = """\
#!/bin/sh
# Enrols every device of the issuing CA as a group: enrol-group.sh issuing.pem. Written by handfast.
# The common name of a device's certificate becomes its device ID: lower case, and the registration ID that it sends.
set -eu
: "${DPS:?the name of the provisioning service}" "${GROUP:?its resource group}"
# --verified: whoever runs this says that the CA is theirs, in place of the proof by a verification certificate.
az iot dps certificate create --dps-name "$DPS" --resource-group "$GROUP" --name handfast-issuing \\
    --path "$1" --verified true
az iot dps enrollment-group create --dps-name "$DPS" --resource-group "$GROUP" --enrollment-id handfast \\
    --ca-name handfast-issuing
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The commands for the service; nothing in them is secret."""
    return (RenderedFile(setting.file(ENROL), _SCRIPT, 0o755, "verifies the CA and enrols its devices"),)


target = Target(
    name="azure-dps",
    title="Azure Device Provisioning",
    group=Group.CLOUD,
    status=Status.WRITTEN,
    render=render,
    directory="/opt/handfast/azure-dps",
    port=8883,
    install=(f"DPS=NAME GROUP=NAME DIR/{ENROL} certificates/issuing.pem",),
    minimum="Azure CLI 2 with the extension azure-iot",
    kick="az iot hub device-identity update --status disabled for the device: the hub then ends the connection",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity_form=IdentityForm.NONE,
    identity=Identity("the common name", "the device ID"),
    refusals=(),
    weaknesses=(
        Weakness(
            Case.REVOKED,
            "Azure reads no CRLs",
            "with every revocation disable the device in the hub, and give it a disabled individual enrolment in the "
            "provisioning service, which goes before the group's",
        ),
    ),
)
