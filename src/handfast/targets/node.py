"""Node.js: an https server whose certificates and CRLs are exchanged while it runs."""

from json import dumps

from handfast.targets import mozilla
from handfast.targets.contract import Case, Group, Identity, Level, Refusal, RenderedFile, Setting, Status, Target
from handfast.targets.python_tls import fill

TLS, START = "mtls.js", "serve.js"

_TLS = """\
// Mutual TLS for @NAME@. Written by handfast.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const https = require("node:https");

const FILES = {
  // Our own certificate, followed by its intermediates, and its key.
  cert: @CERTIFICATE@,
  key: @KEY@,
  // Who may come: holders of a certificate below these roots. Clients send their intermediates.
  ca: @CLIENT_CA@,
  // One CRL for every CA in the chain, the root too: without one of them nobody gets in.
  crl: @CRL@,
};
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

// Node takes a whole text as one CRL and reads its first only: each is handed over by itself. A text without CRLs, or
// with a piece of one, is an error, since Node would go on without.
function lists(text) {
  const found = text.match(/-----BEGIN X509 CRL-----[^]*?-----END X509 CRL-----/g) || [];
  if (!found.length || found.length !== text.split("-----BEGIN X509 CRL-----").length - 1) {
    throw new Error(`${FILES.crl} is empty or cut off`);
  }
  return found;
}

function options() {
  const read = Object.fromEntries(Object.entries(FILES).map(([name, path]) => [name, fs.readFileSync(path)]));
  return {
    ...read,
    crl: lists(read.crl.toString()),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "@VERSION@",
    ciphers: "@CIPHERS@",
    // A resumed session is not checked against the CRL or the clock. Without tickets, and since Node keeps no sessions
    // itself, every connection is a full handshake.
    secureOptions: crypto.constants.SSL_OP_NO_TICKET,
  };
}

// Why a client is refused after all, or "". A certificate without extensions passes OpenSSL for every purpose.
function problem(certificate) {
  if (!certificate || !certificate.subject) return "no certificate";
  if (!(certificate.ext_key_usage || []).includes(CLIENT_AUTH)) return "certificate not made for clients";
  if (Date.now() > Date.parse(certificate.valid_to)) return "certificate expired";
  return "";
}

// An https server that hands (request, response, certificate) to the application.
exports.createServer = function (application) {
  const server = https.createServer(options(), (request, response) => {
    const certificate = request.socket.getPeerCertificate();
    const reason = problem(certificate);
    if (!reason) return application(request, response, certificate);
    console.error(`handfast: refused: ${reason}`);
    response.writeHead(403, { "Content-Type": "text/plain", Connection: "close" });
    response.end(reason);
  });
  server.on("tlsClientError", (error) => console.error(`handfast: refused: ${error.code} ${error.message}`));

  // kill -HUP: new files for new connections, and an end for the old ones, which may be a revoked client's.
  process.on("SIGHUP", () => {
    try {
      server.setSecureContext(options());
      server.closeAllConnections();
      console.error("handfast: certificates and CRLs read again");
    } catch (error) {
      console.error(`handfast: files not read, those of before stay: ${error.message}`);
    }
  });
  return server;
};
"""

_START = """\
// Put your application here; this one greets.
"use strict";

const { createServer } = require("./mtls.js");

createServer((request, response, certificate) => {
  const body = `hello CN=${certificate.subject.CN}\\n`;
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}).listen({ port: @PORT@, host: "@HOST@" });
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The TLS of the server, and a server that greets."""
    modern = setting.level is Level.MODERN
    words = {
        "NAME": setting.name,
        "CERTIFICATE": dumps(setting.certificate),
        "KEY": dumps(setting.key),
        "CLIENT_CA": dumps(setting.client_ca),
        "CRL": dumps(setting.crl),
        "VERSION": "TLSv1.3" if modern else "TLSv1.2",
        "CIPHERS": ":".join((*_TLS13, *(() if modern else mozilla.CIPHERS))),
        "HOST": setting.listen or "::",
        "PORT": str(setting.port),
    }
    return (
        RenderedFile(setting.file(TLS), fill(_TLS, words), comment="the TLS of the server"),
        RenderedFile(setting.file(START), fill(_START, words), comment="a server that greets: yours"),
    )


_TLS13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")

target = Target(
    name="node",
    title="Node.js (https)",
    group=Group.APPLICATION,
    status=Status.PROVEN,
    render=render,
    directory="/opt/application",
    port=8443,
    packages=("nodejs",),
    install=(f"node DIR/{START}",),
    minimum="18.2",
    test=f"node --check DIR/{TLS}",
    reload="kill -HUP the server",
    kick="the reload ends every open connection",
    depth="none to set; OpenSSL's limit of 100 holds",
    resumption="off: no tickets, and Node keeps no sessions unless it is told to",
    broken_crl="a file that does not load, is empty or cut off is logged, and what was read before stays in force; one "
    "that has ended, is forged or misses a CA's, refuses all",
    identity=Identity("request.socket.getPeerCertificate()", "the third argument of the application"),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "alert certificate required (TLS 1.2: handshake failure)"),
        *(
            Refusal(case, "connection closed")
            for case in (
                Case.SELF_SIGNED,
                Case.OTHER_CA,
                Case.EXPIRED,
                Case.NOT_YET_VALID,
                Case.SERVER_ONLY,
                Case.NO_INTERMEDIATE,
                Case.REVOKED,
            )
        ),
        Refusal(Case.BARE, "HTTP 403", "certificate not made for clients"),
    ),
)
