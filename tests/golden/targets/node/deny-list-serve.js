// Put your application here; this one greets.
"use strict";

const { createServer } = require("./mtls.js");

createServer((request, response, certificate) => {
  const body = `hello CN=${certificate.subject.CN}\n`;
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}).listen({ port: 8443, host: "::" });
