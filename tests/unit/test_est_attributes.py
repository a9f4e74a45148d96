"""What EST tells clients to ask for, read by a decoder of another family (RFC 8951 section 4, RFC 9908)."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from pyasn1.codec.der import decoder  # type: ignore[import-untyped]  # it has no types
from pyasn1_alt_modules import rfc7030, rfc9908  # type: ignore[import-untyped]  # nor has this

from handfast.ca.enrollment import ChannelBinding, CsrAttributes, Enrollment
from handfast.pki import der
from handfast.pki.csr_attributes import CHALLENGE_PASSWORD
from handfast.pki.csr_template import EXTENSION_TEMPLATE, REQUEST_TEMPLATE, Asking, csr_attributes
from handfast.pki.keys import KeyKind
from handfast.pki.names import parse_names
from handfast.pki.profile import BUILT_IN
from tests.est_world import ask, basic, est_authority, token_for


def decoded(data: bytes) -> dict[str, Any]:
    """The attributes by their types; of an OID alone, None."""
    found, rest = decoder.decode(data, asn1Spec=rfc7030.CsrAttrs())
    assert rest == b""
    pairs: dict[str, Any] = {}
    for one in found:
        if one.getName() == "oid":
            pairs[str(one["oid"])] = None
        else:
            pairs[str(one["attribute"]["attrType"])] = bytes(one["attribute"]["attrValues"][0])
    return pairs


def template_of(data: bytes) -> Any:
    found, rest = decoder.decode(
        decoded(data)[REQUEST_TEMPLATE], asn1Spec=rfc9908.CertificationRequestInfoTemplate(), decodeOpenTypes=False
    )
    assert rest == b""
    return found


def extensions_of(template: Any) -> dict[str, bytes | None]:
    (attribute,) = template["attributes"]
    assert str(attribute["type"]) == EXTENSION_TEMPLATE
    extensions, _ = decoder.decode(bytes(attribute["values"][0]), asn1Spec=rfc9908.ExtensionReqTemplate())
    return {str(one["extnID"]): bytes(one["extnValue"]) if one["extnValue"].hasValue() else None for one in extensions}


def test_a_stranger_is_told_the_key_and_the_usages_and_where_names_go() -> None:
    data = csr_attributes(Asking(profile=BUILT_IN["server"]), has_template=True)

    pairs, template = decoded(data), template_of(data)
    assert pairs["1.2.840.10045.2.1"] == der.object_identifier("1.2.840.10045.3.1.7")
    assert "1.2.840.113549.1.9.14" in pairs
    assert not template["subject"]["rdnSequence"][0][0]["value"].hasValue()
    extensions = extensions_of(template)
    assert extensions["2.5.29.17"] is None
    assert extensions["2.5.29.37"] == x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH]).public_bytes()


def test_whoever_has_a_token_is_told_its_names() -> None:
    authority = est_authority()
    token = token_for(authority, "cam-7.example.org", "192.0.2.7", profile="server")

    response = ask(authority, "csrattrs", headers=basic(token))

    assert (response.status, response.media_type) == (200, "application/csrattrs")
    template = template_of(base64.b64decode(response.body))
    value = template["subject"]["rdnSequence"][0][0]["value"]
    assert bytes(value) == der.encode(0x0C, b"cam-7.example.org")
    general = [name.to_general_name() for name in parse_names(["cam-7.example.org", "192.0.2.7"])]
    assert extensions_of(template)["2.5.29.17"] == x509.SubjectAlternativeName(general).public_bytes()
    # Asking does not use the token up.
    assert ask(authority, "csrattrs", headers=basic(token)).status == 200


def test_a_wrong_token_is_refused_here_too() -> None:
    assert ask(est_authority(), "csrattrs", headers=basic("hft_wrong")).status == 401


@pytest.mark.parametrize("kind", list(KeyKind))
def test_every_kind_of_key_can_be_asked_for(kind: KeyKind) -> None:
    profile = replace(BUILT_IN["device"], key_kinds=frozenset({kind}))

    data = csr_attributes(Asking(profile=profile), has_template=True)

    assert decoded(data)
    assert template_of(data)["subjectPKInfo"]["algorithm"]["algorithm"].hasValue()


def test_a_required_channel_binding_is_advertised() -> None:
    for binding in ChannelBinding:
        authority = est_authority(Enrollment(channel_binding=binding))
        data = base64.b64decode(ask(authority, "csrattrs").body)
        assert (CHALLENGE_PASSWORD in decoded(data)) is (binding is ChannelBinding.REQUIRE)


def test_old_clients_can_be_spared_the_template_or_all_of_it() -> None:
    plain = est_authority(Enrollment(csr_attributes=CsrAttributes.PLAIN))
    nothing = est_authority(Enrollment(csr_attributes=CsrAttributes.NONE))

    assert REQUEST_TEMPLATE not in decoded(base64.b64decode(ask(plain, "csrattrs").body))
    assert (ask(nothing, "csrattrs").status, ask(nothing, "csrattrs").body) == (204, b"")
    assert ask(nothing, "csrattrs", label="unknown").status == 404
