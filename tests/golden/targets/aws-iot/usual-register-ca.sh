#!/bin/sh
# Registers the issuing CA with AWS IoT Core: register-ca.sh issuing.pem. Written by handfast.
# SNI_ONLY needs no proof by a verification certificate; such a CA may be registered in several accounts.
# Before it: the policy of device-policy.json under the name handfast-device, and a role that AWS IoT may take on.
set -eu
: "${ROLE_ARN:?the ARN of the role with AWSIoTThingsRegistration}"
aws iot create-policy --policy-name handfast-device --policy-document "file:///etc/handfast/example/device-policy.json"
aws iot create-provisioning-template --template-name handfast --type JITP --enabled \
    --provisioning-role-arn "$ROLE_ARN" --template-body "file:///etc/handfast/example/provisioning-template.json"
aws iot register-ca-certificate --ca-certificate "file://$1" --certificate-mode SNI_ONLY --set-as-active \
    --allow-auto-registration --registration-config templateName=handfast
