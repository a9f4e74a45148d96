"""Why no path was found: the longest way that was gone, and what would have led further (RFC 5280 section 6.1)."""

from cryptography.x509.oid import AuthorityInformationAccessOID

from handfast.validate.build import Search
from handfast.validate.certificate import Certificate
from handfast.validate.findings import Notebook
from handfast.validate.general_names import NameType
from handfast.validate.revocation.facts import FactKind, MissingFact

_CA_ISSUERS = AuthorityInformationAccessOID.CA_ISSUERS.dotted_string


def explain(search: Search, leaf: Certificate, notebook: Notebook) -> tuple[Certificate, ...]:
    """Write down why the search found no path; the answer is the way that went furthest."""
    furthest = max((end.certificates for end in search.dead_ends), key=len, default=(leaf,))
    top = len(furthest) - 1
    if search.exhausted:
        message = f"the search ended after {search.signatures} signatures and {search.candidates} candidates"
        notebook.note("budget-exhausted", None, message)
    ends = dict.fromkeys(
        (end.code, end.message, end.position)
        for end in search.dead_ends
        if end.certificates == furthest and end.message
    )
    for code, message, position in ends:
        notebook.note(code, top if position is None else position, message)
    if not ends:
        _explain_top(furthest[-1], top, notebook)
    return furthest


def _explain_top(certificate: Certificate, top: int, notebook: Notebook) -> None:
    if certificate.is_self_issued:
        notebook.note("anchor-not-trusted", top, f"{certificate.name} is a root that is not trusted here")
    else:
        message = f"no certificate of its issuer, {certificate.issuer_name}, is at hand or trusted"
        notebook.note("no-path", top, message)


def missing_issuer(certificate: Certificate) -> tuple[MissingFact, ...]:
    """Where the certificate says that its issuer's certificate is to be had (RFC 5280 section 4.2.2.1)."""
    places = certificate.says.access or ()
    urls = tuple(
        place.text
        for method, place in places
        if method == _CA_ISSUERS
        and place.kind is NameType.URI
        and place.text.lower().startswith(("http://", "https://"))
    )
    return (MissingFact(FactKind.ISSUER, urls, certificate),) if urls else ()
