"""The part that servers in Python have in common: one module that makes their SSLContext and says who came."""

from collections.abc import Mapping
from json import dumps

from handfast.targets.contract import Case, Refusal, RenderedFile, Setting

MODULE = "mtls.py"
NEEDS = "Python 3.11"
DEPTH = "none to set; OpenSSL's limit of 100 holds"
RESUMPTION = (
    "off: TLS 1.3 only, no tickets; Python's ssl would resume TLS 1.2 sessions by their number, without a look at CRL "
    "or clock, and cannot be told not to"
)
BROKEN_CRL = (
    "a file that does not load is logged, and what was loaded before stays in force; an expired one refuses all"
)
# Python's servers tell clients no names of CAs, and then Chromium sends its certificate without the intermediate.
BROWSERS = "for browsers: append the issuing CA's certificate to DIR/client-ca.pem, since they may send theirs alone"
_LOG = "handfast: refused: a certificate without extensions"

# Between @ are the paths of one Setting.
_SOURCE = '''\
"""Mutual TLS for @NAME@: the SSLContext of the server, and who came. Written by handfast."""

import os
import ssl
import sys

CERTIFICATE = @CERTIFICATE@
KEY = @KEY@
# Who may come: holders of a certificate below these roots. Clients send their intermediates.
CLIENT_CA = @CLIENT_CA@
# One CRL for every CA in the chain, the root too: without one of them nobody gets in.
CRL = @CRL@


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
            escaped = "".join("\\\\" + one if one in ',+"\\\\<>;=#' else one for one in value)
            pairs.append(f"{_SHORT.get(name, name)}={escaped}")
        parts.append("+".join(pairs))
    return ",".join(parts)


def problem(certificate):
    """Why this client is refused after all, or "". A version 1 certificate has no extensions, so OpenSSL takes it for
    good for every purpose."""
    if not certificate:
        return "no certificate"
    if certificate["version"] < 3:
        print("@LOG@", file=sys.stderr, flush=True)
        return "this certificate was not made for clients"
    return ""
'''


def module(setting: Setting) -> RenderedFile:
    """mtls.py, the same for every server."""
    words = {
        "NAME": setting.name,
        "CERTIFICATE": dumps(setting.certificate),
        "KEY": dumps(setting.key),
        "CLIENT_CA": dumps(setting.client_ca),
        "CRL": dumps(setting.crl),
        "LOG": _LOG,
    }
    return RenderedFile(setting.file(MODULE), fill(_SOURCE, words), comment="the TLS of the server; imported by it")


def fill(source: str, words: Mapping[str, str]) -> str:
    """Put the words where their names stand between @."""
    for name, word in words.items():
        source = source.replace(f"@{name}@", word)
    return source


REFUSALS = (
    Refusal(Case.NO_CERTIFICATE, "alert certificate required"),
    Refusal(Case.SELF_SIGNED, "alert unknown ca"),
    Refusal(Case.OTHER_CA, "alert unknown ca"),
    Refusal(Case.EXPIRED, "alert certificate expired"),
    Refusal(Case.NOT_YET_VALID, "alert bad certificate"),
    Refusal(Case.SERVER_ONLY, "alert unsupported certificate"),
    Refusal(Case.NO_INTERMEDIATE, "alert unknown ca"),
    Refusal(Case.REVOKED, "alert certificate revoked"),
    Refusal(Case.BARE, "HTTP 403", _LOG),
)
# asyncio closes the connection before OpenSSL's alert has left.
ASYNCIO_REFUSALS = tuple(
    Refusal(one.case, one.client if one.case is Case.BARE else "connection closed", one.log) for one in REFUSALS
)

ASGI = '''

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
'''

ASGI_APPLICATION = '''\
"""Put your application here; this one greets."""


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    body = f"hello {scope['extensions']['tls']['client_cert_name']}\\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
'''


def asgi_files(setting: Setting) -> tuple[RenderedFile, ...]:
    """mtls.py with what ASGI needs, and an application that greets."""
    tls = module(setting)
    return (
        RenderedFile(tls.path, tls.content + ASGI, tls.mode, tls.comment),
        RenderedFile(setting.file("application.py"), ASGI_APPLICATION, comment="an application that greets: yours"),
    )
