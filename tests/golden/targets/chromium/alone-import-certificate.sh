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
certutil -d "sql:$database" -A -n "handfast root for www.example.org" -t C,, -i "/etc/handfast/example/client-ca.pem"

# Asks for the password that came with the file; with -w FILE it reads it from there.
if [ -n "${PASSWORD_FILE:-}" ]; then
    pk12util -d "sql:$database" -i "$p12" -w "$PASSWORD_FILE"
else
    pk12util -d "sql:$database" -i "$p12"
fi
echo "done: restart the browser, and open https://www.example.org"
