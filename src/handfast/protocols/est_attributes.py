"""What a client should ask for, over EST (RFC 7030 section 4.5, RFC 9908)."""

from handfast.ca.authority import Authority
from handfast.ca.enrollment import ChannelBinding, CsrAttributes
from handfast.ca.policy import Requester
from handfast.pki.csr_template import Asking, csr_attributes
from handfast.protocols.est_asking import credentials_of, place_of, profile_of
from handfast.protocols.est_messages import encoded
from handfast.protocols.exchange import Request, Response

_MEDIA_TYPE = "application/csrattrs"


def attributes_to_ask_for(request: Request, authority: Authority) -> Response:
    """For everybody; whoever presents a token learns the names that it is good for, too."""
    place, wanted = place_of(request, authority), authority.enrollment.csr_attributes
    if wanted is CsrAttributes.NONE:
        return Response(status=204)
    credentials = credentials_of(request)
    requester = authority.authenticate(credentials) if credentials.secret is not None else None
    profile = profile_of(place, requester, authority)
    common_name, bond = _common_name(requester), None if requester is None else requester.bond
    asking = Asking(
        profile=profile,
        common_name=common_name,
        names=() if bond is None else bond.names,
        has_challenge=authority.enrollment.channel_binding is ChannelBinding.REQUIRE,
    )
    data = csr_attributes(asking, has_template=wanted is CsrAttributes.BOTH)
    return encoded(data, _MEDIA_TYPE, is_wrapped=place.is_wrapped)


def _common_name(requester: Requester | None) -> str:
    bond = None if requester is None else requester.bond
    return bond.common_names[0] if bond is not None and bond.common_names else ""
