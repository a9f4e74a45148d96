"""Mutual TLS for www.example.org: the SSLContext of the server, and who came. Written by handfast."""

import os
import ssl
import sys

CERTIFICATE = "/etc/handfast/example/server.pem"
KEY = "/etc/handfast/example/server.key"
# Who may come: holders of a certificate below these roots. Clients send their intermediates.
CLIENT_CA = "/etc/handfast/example/client-ca.pem"
# One CRL for every CA in the chain, the root too: without one of them nobody gets in.
CRL = "/etc/handfast/example/crls.pem"


def _load():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A resumed session is not checked against the CRL or the clock: a revoked or expired client would come back with
    # it. Python cannot switch that off for TLS 1.2, so this is TLS 1.3 only, without tickets.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(CERTIFICATE, KEY)
    context.load_verify_locations(CLIENT_CA)
    context.load_verify_locations(CRL)
    context.verify_mode = ssl.CERT_REQUIRED
    # Without this flag the CRLs are loaded and never asked.
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return context


def _changed():
    return tuple((os.stat(path).st_mtime_ns, os.stat(path).st_ino) for path in (CERTIFICATE, KEY, CLIENT_CA, CRL))


class _Newest:
    """The context that the files make, made again when one of them has changed."""

    def __init__(self):
        self.seen = _changed()
        self.context = _load()

    def get(self):
        try:
            now = _changed()
            if now != self.seen:
                self.seen = now
                self.context = _load()
                print("handfast: certificates and CRLs read again", file=sys.stderr, flush=True)
        except OSError as error:  # ssl.SSLError is one
            print(f"handfast: files not read, those of before stay: {error}", file=sys.stderr, flush=True)
        return self.context


def server_context():
    """What the server is given: it hands every connection to the newest context, so nothing has to be restarted."""
    newest = _Newest()
    outer = _load()

    def choose(connection, _name, _context):
        connection.context = newest.get()

    outer.sni_callback = choose
    return outer


_SHORT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C",
          "localityName": "L", "stateOrProvinceName": "ST", "domainComponent": "DC", "userId": "UID"}  # fmt: skip


def subject(certificate):
    """The subject as RFC 4514 writes it, from what getpeercert() gives."""
    parts = []
    for group in reversed(certificate["subject"]):
        pairs = []
        for name, value in group:
            escaped = "".join("\\" + one if one in ',+"\\<>;=#' else one for one in value)
            pairs.append(f"{_SHORT.get(name, name)}={escaped}")
        parts.append("+".join(pairs))
    return ",".join(parts)


def problem(certificate):
    """Why this client is refused after all, or "". A version 1 certificate has no extensions, so OpenSSL takes it for
    good for every purpose."""
    if not certificate:
        return "no certificate"
    if certificate["version"] < 3:
        print("handfast: refused: a certificate without extensions", file=sys.stderr, flush=True)
        return "this certificate was not made for clients"
    return ""


def tls_extension(certificate):
    """What ASGI's TLS extension has for the client: its name, as RFC 4514 writes it."""
    return {"client_cert_name": subject(certificate)}


def admit(app, peer):
    """The application, for one connection: told who came, in scope["extensions"]["tls"]. peer: gives the certificate
    of the connection."""

    async def admitted(scope, receive, send):
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        certificate = peer()
        reason = problem(certificate)
        if reason and scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        if reason:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            return await send({"type": "http.response.body", "body": reason.encode()})
        extensions = {**(scope.get("extensions") or {}), "tls": tls_extension(certificate)}
        return await app({**scope, "extensions": extensions}, receive, send)

    return admitted
