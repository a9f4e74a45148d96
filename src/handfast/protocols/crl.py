"""CRLs and CA certificates over plain HTTP (RFC 5280 sections 4.2.1.13 and 4.2.2.1, RFC 2585)."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from handfast.ca.authority import Authority
from handfast.ca.published import ListKind, Published, Which
from handfast.ca.publishing import BACKDATE
from handfast.errors import NotFound
from handfast.protocols.exchange import Request, Response, Route

CRL_TYPE = "application/pkix-crl"
CERTIFICATE_TYPE = "application/pkix-cert"
CHAIN_TYPE = "application/pkcs7-mime; smime-type=certs-only"
# A CA certificate does not change under its name, but for a renewal with the same key.
_CERTIFICATE_AGE = 86400
_HINT = "look at the URL in the certificate: extension cRLDistributionPoints or authorityInfoAccess"


def serve_crl(request: Request, authority: Authority) -> Response:
    """The published list of this name. Raises NotFound."""
    which = which_of(request.parameters["name"], authority)
    publications = authority.store.publications
    missing = NotFound(f"there is no list {which.file_name}", hint="publish it first: handfast crl")
    # Most askers have it already: for them the list itself need not be read.
    known = next((one for one in publications.all(which.issuer) if one.which == which), None)
    if known is None:
        raise missing
    headers = crl_headers(known, authority.clock())
    if is_unchanged(request.headers, etag=headers["ETag"], modified=_modified(known)):
        return Response(status=304, headers=headers)
    published = publications.get(which)
    if published is None:
        raise missing
    return Response(body=published.der, media_type=CRL_TYPE, headers=crl_headers(published, authority.clock()))


def serve_certificate(request: Request, authority: Authority) -> Response:
    """A CA's own certificate in DER. Raises NotFound."""
    issuer = authority.issuers.get(request.parameters["name"])
    if issuer is None:
        raise NotFound(f"there is no CA {request.parameters['name']!r}", hint=_HINT)
    return _kept(request, issuer.der, CERTIFICATE_TYPE, issuer.certificate)


def serve_chain(request: Request, authority: Authority) -> Response:
    """A CA's certificate and those above it, in a PKCS #7 without signature. Raises NotFound."""
    issuer = authority.issuers.get(request.parameters["name"])
    if issuer is None:
        raise NotFound(f"there is no CA {request.parameters['name']!r}", hint=_HINT)
    return _kept(request, chain_of((issuer.certificate, *issuer.chain)), CHAIN_TYPE, issuer.certificate)


def chain_of(certificates: tuple[x509.Certificate, ...]) -> bytes:
    """A certs-only PKCS #7 in DER (RFC 5652 section 5)."""
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


def which_of(name: str, authority: Authority) -> Which:
    """The list of a file name without `.crl`: ISSUER, ISSUER-SHARD or ISSUER-delta. Raises NotFound."""
    if name in authority.issuers:
        return Which(name)
    issuer, _, rest = name.rpartition("-")
    if issuer in authority.issuers:
        if rest == "delta":
            return Which(issuer, kind=ListKind.DELTA)
        if rest.isascii() and rest.isdecimal() and not rest.startswith("0") and len(rest) <= 9:
            return Which(issuer, int(rest))
    raise NotFound(f"there is no list {name[:100]!r}", hint=_HINT)


def crl_headers(published: Published, now: datetime) -> dict[str, str]:
    """What caches go by: good until the next one is due, not until nextUpdate, so that they never serve an old one."""
    age = max(int((published.half_life - now).total_seconds()), 0)
    digest = hashlib.sha256(f"{published.which.file_name} {published.record.number}".encode()).hexdigest()[:16]
    return {
        "ETag": f'"{published.record.number}-{digest}"',
        "Last-Modified": format_datetime(min(_modified(published), now.astimezone(UTC)), usegmt=True),
        "Cache-Control": f"public, max-age={min(age, 3600)}, no-transform",
    }


def _modified(published: Published) -> datetime:
    """Above the second in which it was published: what was fetched in that one may be the list before it."""
    return published.record.this_update.astimezone(UTC).replace(microsecond=0) + BACKDATE + timedelta(seconds=1)


def is_unchanged(headers: Mapping[str, str], *, etag: str, modified: datetime) -> bool:
    """Whether the asker has it already: If-None-Match, or else If-Modified-Since (RFC 9110 section 13.2.2).

    Only the very moment that Last-Modified told counts. Many send the time of their file instead, which is when they
    fetched it: what they have may be older than that.
    """
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag in {one.strip().removeprefix("W/") for one in tags.split(",")}
    since = headers.get("if-modified-since")
    if since is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    return modified.replace(microsecond=0) == (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _kept(request: Request, body: bytes, media_type: str, certificate: x509.Certificate) -> Response:
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Last-Modified": format_datetime(certificate.not_valid_before_utc, usegmt=True),
        "Cache-Control": f"public, max-age={_CERTIFICATE_AGE}, no-transform",
    }
    if is_unchanged(request.headers, etag=headers["ETag"], modified=certificate.not_valid_before_utc):
        return Response(status=304, headers=headers)
    return Response(body=body, media_type=media_type, headers=headers)


routes: tuple[Route, ...] = (
    Route(methods=("GET",), path="/crl/{name}.crl", handle=serve_crl, is_plain=True),
    Route(methods=("GET",), path="/ca/{name}.cer", handle=serve_certificate, is_plain=True),
    Route(methods=("GET",), path="/ca/{name}.p7c", handle=serve_chain, is_plain=True),
)
