"""What enrollment protocols go by: labels, spelling of answers, channel binding (RFC 7030 sections 3.2.2, 3.5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class ChannelBinding(StrEnum):
    """What a challengePassword in an EST request is taken for.

    VERIFY: one that is there must be the tls-unique of the connection. REQUIRE: and it must be there. IGNORE: nothing.
    """

    VERIFY = "verify"
    REQUIRE = "require"
    IGNORE = "ignore"


class CsrAttributes(StrEnum):
    """What /csrattrs answers. BOTH: attributes for old clients, and the template of RFC 9908 beside them."""

    BOTH = "both"
    PLAIN = "plain"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is asked for below /.well-known/est/<label>. profile: empty for the one whose name the label is.

    is_wrapped: base64 in lines of 76; strongSwan before 5.9.11 needs one line, other clients need many.
    """

    profile: str = ""
    is_wrapped: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """labels: by name; the name of a profile is a label too. profile: where a request has no label.

    retry_after: how soon a request that waits for approval may come again, at the latest.
    decrypt_keys: by their identifiers, the AES keys that generated keys can be encrypted for; shared beforehand.
    """

    profile: str = "device"
    is_wrapped: bool = True
    channel_binding: ChannelBinding = ChannelBinding.VERIFY
    csr_attributes: CsrAttributes = CsrAttributes.BOTH
    retry_after: timedelta = timedelta(seconds=60)
    labels: Mapping[str, Label] = field(default_factory=dict)
    decrypt_keys: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
