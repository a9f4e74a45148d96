"""Certificates over EST: the first, and the next one (RFC 7030 section 4.2)."""

from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.ca.authority import Authority
from handfast.ca.order import Order
from handfast.ca.policy import Bond
from handfast.ca.records import CertificateRecord, Pending, State
from handfast.errors import Denied, Malformed, NotFound
from handfast.pki.csr import CertificateRequest
from handfast.pki.names import Name, parse_name
from handfast.pki.profile import Profile
from handfast.pki.subject import format_subject
from handfast.protocols.est_asking import Asked, asked, profile_of
from handfast.protocols.est_messages import certificates_response, retry_after
from handfast.protocols.exchange import Request, Response


def simple_enroll(request: Request, authority: Authority) -> Response:
    """A certificate for a new holder."""
    one = asked(request, authority)
    return _answer(enrolling_order(one, authority), one, authority)


def simple_reenroll(request: Request, authority: Authority) -> Response:
    """The next certificate for the holder of one: for the same key or a new one, with the names that it has."""
    one = asked(request, authority)
    return _answer(renewing_order(one, authority), one, authority)


def pending_response(pending: Pending, authority: Authority) -> Response:
    """Come again with the same request. Without a body, which some clients cannot skip."""
    return Response(status=202, headers=retry_after(min(pending.retry_after, authority.enrollment.retry_after)))


def enrolling_order(one: Asked, authority: Authority) -> Order:
    """What is asked for, as an order: names and subject are wishes that the authority grants or not."""
    profile = profile_of(one.place, one.requester, authority)
    bond = one.requester.bond
    subject, names = _wished(one.csr, profile) if bond is None else _bonded(one.csr, bond)
    return Order(
        profile=profile.name, public_key=one.csr.public_key, subject=subject, names=names, requester=one.requester
    )


def _answer(order: Order, one: Asked, authority: Authority) -> Response:
    issued = authority.enroll(order)
    if isinstance(issued, Pending):
        return pending_response(issued, authority)
    return certificates_response((issued.der,), is_wrapped=one.place.is_wrapped)


def _bonded(csr: CertificateRequest, bond: Bond) -> tuple[x509.Name, tuple[Name, ...]]:
    """All names of the token for a request without any; the authority says which of those in it it may not have."""
    names = csr.names or bond.names
    if list(csr.subject) or not bond.common_names:
        return csr.subject, names
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, bond.common_names[0])]), names


def _wished(csr: CertificateRequest, profile: Profile) -> tuple[x509.Name, tuple[Name, ...]]:
    """Clients that know no subjectAltName put their host name into the common name; it is asked for there then."""
    common = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if csr.names or not profile.required_names or len(common) != 1:
        return csr.subject, csr.names
    try:
        name = parse_name(str(common[0].value))
    except Malformed:
        return csr.subject, ()
    return csr.subject, (name,) if name.kind in profile.name_kinds else ()


def renewing_order(one: Asked, authority: Authority) -> Order:
    """The next certificate of a holder, as an order. Raises Denied for other names than it has, NotFound."""
    old = one.requester.certificate or _owned(one, authority)
    if one.place.profile and one.place.profile != old.profile:
        msg = f"the certificate of {old.label} has the profile {old.profile}, not {one.place.profile}"
        raise Denied(msg, hint=f"renew it below /.well-known/est/{old.profile}, or without a label")
    if not _is_same(one.csr, old):
        msg = f"subject and names are not those of the certificate of {old.label} that is to be renewed"
        raise Denied(msg, hint="ask for the same; other names go into the attribute ChangeSubjectName")
    changed = one.attributes.changed
    subject = changed.subject if changed is not None and changed.subject is not None else one.csr.subject
    names = changed.names if changed is not None and changed.names is not None else old.names
    return Order(
        profile=old.profile,
        public_key=one.csr.public_key,
        subject=subject,
        names=names,
        requester=one.requester,
        replaces=old.serial,
    )


def _is_same(csr: CertificateRequest, record: CertificateRecord) -> bool:
    """A request without names is the same too: many clients make one, since the names came from the authority."""
    return format_subject(csr.subject) == record.subject and (not csr.names or set(csr.names) == set(record.names))


def _owned(one: Asked, authority: Authority) -> CertificateRecord:
    """The newest valid certificate with this subject and these names that is the requester's, without a certificate."""
    common = one.csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    wanted = str(common[0].value) if common else next((name.value for name in one.csr.names), "")
    now, owner = authority.clock(), one.requester.name
    for record in authority.store.by_name(wanted.lower()) if wanted and one.requester.bond is None else ():
        if record.requester == owner and record.state(now) is State.VALID and _is_same(one.csr, record):
            return record
    msg = f"{owner} has no valid certificate with this subject and these names"
    raise NotFound(msg, hint="connect with the certificate that is to be renewed, or enroll by simpleenroll")
