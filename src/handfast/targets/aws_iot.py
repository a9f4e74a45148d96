"""AWS IoT Core: the CA registered for just-in-time provisioning, a template for things, and the devices' policy."""

import json

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

TEMPLATE, POLICY, REGISTER = "provisioning-template.json", "device-policy.json", "register-ca.sh"

_REGISTER = """\
#!/bin/sh
# Registers the issuing CA with AWS IoT Core: register-ca.sh issuing.pem. Written by handfast.
# SNI_ONLY needs no proof by a verification certificate; such a CA may be registered in several accounts.
# Before it: the policy of device-policy.json under the name handfast-device, and a role that AWS IoT may take on.
set -eu
: "${ROLE_ARN:?the ARN of the role with AWSIoTThingsRegistration}"
aws iot create-policy --policy-name handfast-device --policy-document "file://@POLICY@"
aws iot create-provisioning-template --template-name handfast --type JITP --enabled \\
    --provisioning-role-arn "$ROLE_ARN" --template-body "file://@TEMPLATE@"
aws iot register-ca-certificate --ca-certificate "file://$1" --certificate-mode SNI_ONLY --set-as-active \\
    --allow-auto-registration --registration-config templateName=handfast
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """Policy, provisioning template, and the commands that put both in place."""
    script = _REGISTER.replace("@POLICY@", setting.file(POLICY)).replace("@TEMPLATE@", setting.file(TEMPLATE))
    return (
        RenderedFile(setting.file(POLICY), _json(policy()), comment="what a device may do"),
        RenderedFile(setting.file(TEMPLATE), _json(template()), comment="what becomes of a device's first visit"),
        RenderedFile(setting.file(REGISTER), script, 0o755, "puts both in place, and registers the CA"),
    )


def _json(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def policy() -> dict[str, object]:
    """A device comes under its thing's name, and has the topics below dev/<its name>/ and no others."""
    name, here = "${iot:Connection.Thing.ThingName}", "arn:aws:iot:*:*"
    allowed = (
        ("iot:Connect", f"{here}:client/{name}"),
        ("iot:Publish", f"{here}:topic/dev/{name}/*"),
        ("iot:Receive", f"{here}:topic/dev/{name}/*"),
        ("iot:Subscribe", f"{here}:topicfilter/dev/{name}/*"),
    )
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    # Only over a connection that showed a certificate which is the thing's.
    statements[0]["Condition"] = {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}}  # type: ignore[assignment]  # a document of JSON
    return {"Version": "2012-10-17", "Statement": statements}


def template() -> dict[str, object]:
    """Parameters come only from the subject: the common name is the thing's name, so it must be the device's own."""
    common_name, certificate = "AWS::IoT::Certificate::CommonName", "AWS::IoT::Certificate::Id"
    return {
        "Parameters": {common_name: {"Type": "String"}, certificate: {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": common_name}}},
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateId": {"Ref": certificate}, "Status": "ACTIVE"},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "handfast-device"}},
        },
    }


target = Target(
    name="aws-iot",
    title="AWS IoT Core",
    group=Group.CLOUD,
    status=Status.WRITTEN,
    render=render,
    directory="/opt/handfast/aws-iot",
    port=8883,
    install=(f"ROLE_ARN=arn:aws:iam::ACCOUNT:role/ROLE DIR/{REGISTER} certificates/issuing.pem",),
    minimum="AWS CLI 2",
    kick="aws iot update-certificate --certificate-id ID --new-status REVOKED: AWS then ends the connection",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity_form=IdentityForm.NONE,
    identity=Identity("the certificate that AWS holds", "the thing's name in policies and rules"),
    refusals=(),
    weaknesses=(
        Weakness(
            Case.REVOKED,
            "AWS reads no CRLs",
            "with every revocation: aws iot update-certificate --certificate-id ID --new-status REVOKED; the ID is "
            "the SHA-256 of the certificate in DER, in lower hex",
        ),
    ),
)
