#!/bin/sh
# Gives the cluster the server's certificate, the client CAs and the CRLs. Run it again after every new CRL: the
# gateway takes a changed secret by itself. Written by handfast.
set -eu
kubectl -n default create secret tls handfast-server --dry-run=client -o yaml \
    --cert="/etc/handfast/example/server.pem" --key="/etc/handfast/example/server.key" | kubectl apply -f -
kubectl -n default create secret generic handfast-clients --dry-run=client -o yaml \
    --from-file=ca.crt="/etc/handfast/example/client-ca.pem" --from-file=ca.crl="/etc/handfast/example/crls.pem" | kubectl apply -f -
