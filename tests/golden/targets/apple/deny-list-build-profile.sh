#!/bin/sh
# Puts the root and a person's certificate into the profile, and signs it: build-profile.sh alice.p12 alice.mobileconfig
# Written by handfast. The .p12 has to be of the old kind: handfast export alice --format p12-legacy
# Signing needs SIGNER, SIGNER_KEY and SIGNER_CHAIN, the certificates above SIGNER; without them the profile stays
# unsigned, and the device says so in red. It asks for the password of the .p12 when it installs the profile.
set -eu
p12=$1
out=$2
root=$(openssl x509 -in "/etc/handfast/example/client-ca.pem" -outform DER | openssl base64 -A)
identity=$(openssl base64 -A -in "$p12")
umask 077
unsigned=$(mktemp)
trap 'rm -f "$unsigned"' EXIT
# base64 has no letter that means anything to sed here; QFJPT1RA and QFAxMkA= are the places in the profile.
{
    echo "s|QFJPT1RA|$root|"
    echo "s|QFAxMkA=|$identity|"
} | sed -f - "/etc/handfast/example/handfast.mobileconfig" >"$unsigned"
if [ -n "${SIGNER:-}" ]; then
    openssl cms -sign -nodetach -binary -outform DER -md sha256 -signer "$SIGNER" -certfile "$SIGNER_CHAIN" \
        -inkey "$SIGNER_KEY" -in "$unsigned" -out "$out"
else
    cp "$unsigned" "$out"
fi
