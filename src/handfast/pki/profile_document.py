"""A profile as a document with stable keys, and back: what programs read, and what goes over the network."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from handfast.pki.lifetime import format_lifetime
from handfast.pki.oids import usage_name
from handfast.pki.profile import Profile, from_table

# What the table of a profile in handfast.toml calls them.
_IN_TABLE = {
    "title": "title",
    "lifetime": "lifetime",
    "maximum_lifetime": "maximum_lifetime",
    "backdate": "backdate",
    "key_usage": "key_usage",
    "extended_key_usage": "extended_key_usage",
    "name_kinds": "names",
    "required_names": "required_names",
    "subject_attributes": "subject",
    "key_kinds": "keys",
    "allows_wildcards": "wildcards",
}


def to_document(profile: Profile) -> dict[str, Any]:
    """Lengths of time as `90d`, sets as sorted lists."""
    return {
        "name": profile.name,
        "title": profile.title,
        "lifetime": format_lifetime(profile.lifetime),
        "maximum_lifetime": format_lifetime(profile.maximum_lifetime),
        "backdate": format_lifetime(profile.backdate),
        "key_usage": sorted(profile.key_usage),
        "extended_key_usage": [usage_name(one) for one in profile.extended_key_usage],
        "name_kinds": sorted(profile.name_kinds),
        "required_names": sorted(profile.required_names),
        "subject_attributes": sorted(profile.subject_attributes),
        "key_kinds": sorted(profile.key_kinds),
        "is_ca": profile.is_ca,
        "path_length": profile.path_length,
        "allows_wildcards": profile.allows_wildcards,
        "is_self_signed": profile.is_self_signed,
        "has_ocsp_no_check": profile.has_ocsp_no_check,
        "digest": profile.digest,
    }


def from_document(document: Mapping[str, Any]) -> Profile:
    """The very same profile: its digest is the same. Raises ConfigError, KeyError."""
    table = {key: document[name] for name, key in _IN_TABLE.items() if document[name] != "0s"}
    like = "issuing" if document["is_ca"] is True else "client"
    profile = from_table(str(document["name"]), {"like": like, **table})
    length = document["path_length"]
    return replace(
        profile,
        is_ca=document["is_ca"] is True,
        is_self_signed=document["is_self_signed"] is True,
        has_ocsp_no_check=document["has_ocsp_no_check"] is True,
        path_length=length if isinstance(length, int) else None,
    )
