// Mutual TLS for www.example.org. Written by handfast.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const https = require("node:https");

const FILES = {
  // Our own certificate, followed by its intermediates, and its key.
  cert: "/etc/handfast/example/server.pem",
  key: "/etc/handfast/example/server.key",
  // Who may come: holders of a certificate below these roots. Clients send their intermediates.
  ca: "/etc/handfast/example/client-ca.pem",
  // One CRL for every CA in the chain, the root too: without one of them nobody gets in.
  crl: "/etc/handfast/example/crls.pem",
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
    minVersion: "TLSv1.2",
    ciphers: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
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
