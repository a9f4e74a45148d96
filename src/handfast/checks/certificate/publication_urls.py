"""The URLs of CRLs, OCSP and the issuer's certificate are absolute and plain HTTP (RFC 5280 section 4.2.1.13)."""

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from cryptography import x509

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

CODES = {
    "url-not-http": "a URL is not absolute, or not HTTP: little software fetches anything else",
    "url-https": "fetching a CRL over HTTPS can need the very certificate that is being checked",
    "revocation-pointer-missing": "nothing in the certificate says where its revocation is published",
}


_REFERENCE = "RFC 5280 section 4.2.1.13"
_SHORT_LIVED = timedelta(days=7)


def check(draft: Draft) -> Iterator[Finding]:
    """Errors for URLs that do not work; a notice when a long certificate has none."""
    points = draft.find(x509.CRLDistributionPoints)
    access = draft.find(x509.AuthorityInformationAccess)
    if points is not None:
        yield from _check_points(points.value)
    if access is not None:
        yield from _check_access(access.value)
    long_lived = draft.not_after - draft.not_before > _SHORT_LIVED
    if long_lived and points is None and access is None and draft.profile is None and not draft.is_ca:
        message = "nothing in the certificate says where its revocation is published"
        fix = "configure CRLs on the relying parties, or publish them and issue again"
        yield Finding("revocation-pointer-missing", Severity.NOTICE, message, fix, "RFC 5280 section 4.2.1.13")


# The same points stand in every certificate of an issuer.
@lru_cache(maxsize=256)
def _check_points(points: x509.CRLDistributionPoints) -> tuple[Finding, ...]:
    names = [name for point in points for name in point.full_name or ()]
    return tuple(finding for name in names for finding in _check_url(name))


@lru_cache(maxsize=256)
def _check_access(access: x509.AuthorityInformationAccess) -> tuple[Finding, ...]:
    return tuple(finding for description in access for finding in _check_url(description.access_location))


def _check_url(name: x509.GeneralName) -> Iterator[Finding]:
    if not isinstance(name, x509.UniformResourceIdentifier):
        return
    fix = "give an address that begins with http:// and a host"
    try:
        url = urlsplit(name.value)
    except ValueError:
        yield Finding("url-not-http", Severity.ERROR, f"{name.value[:200]!r} is not a URL", fix, _REFERENCE)
        return
    if url.scheme not in {"http", "https", "ldap"} or not url.netloc:
        message = f"{name.value[:200]!r} is not an absolute HTTP URL"
        yield Finding("url-not-http", Severity.ERROR, message, fix, _REFERENCE)
    elif url.scheme == "https":
        message = f"{name.value[:200]} is HTTPS: fetching it can need the certificate that is being checked"
        yield Finding("url-https", Severity.WARNING, message, "use http://: what is fetched is signed", _REFERENCE)
