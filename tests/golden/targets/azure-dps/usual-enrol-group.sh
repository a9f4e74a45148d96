#!/bin/sh
# Enrols every device of the issuing CA as a group: enrol-group.sh issuing.pem. Written by handfast.
# The common name of a device's certificate becomes its device ID: lower case, and the registration ID that it sends.
set -eu
: "${DPS:?the name of the provisioning service}" "${GROUP:?its resource group}"
# --verified: whoever runs this says that the CA is theirs, in place of the proof by a verification certificate.
az iot dps certificate create --dps-name "$DPS" --resource-group "$GROUP" --name handfast-issuing \
    --path "$1" --verified true
az iot dps enrollment-group create --dps-name "$DPS" --resource-group "$GROUP" --enrollment-id handfast \
    --ca-name handfast-issuing
