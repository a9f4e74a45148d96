"""A profile goes over the network as a document, and is the very same at the other end."""

import json

import pytest

from handfast.errors import ConfigError
from handfast.pki.profile import BUILT_IN, Profile, from_table
from handfast.pki.profile_document import from_document, to_document

OWN = from_table("gate", {"like": "device", "lifetime": "1d12h", "wildcards": False, "keys": ["p256", "ed25519"]})


@pytest.mark.parametrize("profile", [*BUILT_IN.values(), OWN], ids=lambda profile: str(profile.name))
def test_a_profile_comes_back_with_the_same_digest(profile: Profile) -> None:
    back = from_document(json.loads(json.dumps(to_document(profile))))
    assert back == profile
    assert back.digest == profile.digest


def test_a_document_that_is_no_profile_is_refused() -> None:
    document = {**to_document(OWN), "key_usage": ["everything"]}
    with pytest.raises(ConfigError, match="key_usage"):
        from_document(document)
