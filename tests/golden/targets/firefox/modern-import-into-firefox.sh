#!/bin/sh
# Gives a person's certificate to Firefox, as that person, while it is closed: import-into-firefox.sh alice.p12
# Written by handfast. Needs pk12util: apt-get install libnss3-tools
set -eu
p12=$1
# The profile in use is named in about:profiles; PROFILE=DIR says another one.
profile=${PROFILE:-$(ls -d "$HOME"/.mozilla/firefox/*.default-esr "$HOME"/.mozilla/firefox/*.default-release \
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
echo "done: start Firefox, and open https://www.example.org"
