"""Profiles: those that come with handfast, and those from handfast.toml."""

from datetime import timedelta

import pytest

from handfast.errors import ConfigError
from handfast.pki import oids
from handfast.pki.keys import KeyKind
from handfast.pki.names import NameKind
from handfast.pki.profile import BUILT_IN, KeyUsage, Profile, from_table


def test_the_profiles_of_the_manual_are_there() -> None:
    expected = "root issuing cross server client device peer email document-signing ocsp ra"
    assert list(BUILT_IN) == expected.split()


@pytest.mark.parametrize("profile", BUILT_IN.values(), ids=BUILT_IN)
def test_a_profile_is_consistent(profile: Profile) -> None:
    assert profile.lifetime <= profile.maximum_lifetime
    assert profile.required_names <= profile.name_kinds
    assert profile.is_ca == (KeyUsage.KEY_CERT_SIGN in profile.key_usage)
    assert profile.is_ca == (not profile.extended_key_usage)


def test_a_table_changes_the_profile_that_it_is_like() -> None:
    table = {
        "like": "device",
        "lifetime": "5d",
        "maximum_lifetime": "10d",
        "backdate": "1m",
        "key_usage": ["digitalSignature", "KeyAgreement"],
        "extended_key_usage": ["clientAuth", "1.2.3.4"],
        "names": ["dns", "uri"],
        "required_names": ["uri"],
        "subject": ["cn", "O"],
        "keys": ["p256", "ML-DSA-65"],
        "wildcards": True,
        "title": "robots",
    }
    profile = from_table("robot", table)
    assert (profile.name, profile.title, profile.lifetime) == ("robot", "robots", timedelta(days=5))
    assert profile.key_usage == {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT}
    assert [oid.dotted_string for oid in profile.extended_key_usage] == [oids.CLIENT_AUTH.dotted_string, "1.2.3.4"]
    assert profile.name_kinds == {NameKind.DNS, NameKind.URI}
    assert profile.required_names == {NameKind.URI}
    assert profile.subject_attributes == {"CN", "O"}
    assert profile.key_kinds == {KeyKind.P256, KeyKind.ML_DSA_65}
    assert profile.allows_wildcards


def test_a_built_in_profile_can_be_changed_under_its_own_name() -> None:
    assert from_table("server", {"lifetime": "30d"}).required_names == BUILT_IN["server"].required_names


def test_a_name_of_ones_own_is_like_a_client() -> None:
    assert from_table("robot", {}).extended_key_usage == BUILT_IN["client"].extended_key_usage


@pytest.mark.parametrize(
    ("table", "said", "hint"),
    [
        ({"lifetme": "5d"}, "profiles.robot.lifetme: there is no such setting", 'did you mean "lifetime"?'),
        ({"like": "sever"}, "profiles.robot.like", 'did you mean "server"?'),
        ({"like": 3}, "profiles.robot.like", "use one of"),
        ({"lifetime": "5 days"}, "profiles.robot.lifetime", "90d"),
        ({"lifetime": 5}, "profiles.robot.lifetime: a text is wanted", "quotes"),
        ({"lifetime": "9y"}, "longer than maximum_lifetime", "raise"),
        ({"names": "dns"}, "profiles.robot.names: a list is wanted", "brackets"),
        ({"names": ["dsn"]}, "'dsn' is not known", 'did you mean "dns"?'),
        ({"names": [], "required_names": ["dns"]}, "required_names", "add it"),
        ({"keys": ["rsa1024"]}, "'rsa1024' is not known", "rsa"),
        ({"keys": []}, "no kind of key", "name some"),
        ({"key_usage": ["keyCertSign"]}, "only a CA signs", "issuing"),
        ({"key_usage": ["digitalSignatur"]}, "is not known", "digitalSignature"),
        ({"extended_key_usage": ["clientAut"]}, "is not known", 'did you mean "clientAuth"?'),
        ({"extended_key_usage": []}, "it is empty", "name one"),
        ({"subject": ["XX"]}, "is not known", "use one of"),
        ({"wildcards": "yes"}, "true or false", "without quotes"),
        ({"path_length": -1}, "from 0 to 8", "0"),
        ({"path_length": True}, "from 0 to 8", "0"),
        ({"title": ""}, "a text is wanted", "quotes"),
    ],
)
def test_a_wrong_table_names_the_setting_and_the_way_out(table: dict[str, object], said: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        from_table("robot", table)
    assert said in refused.value.message
    assert refused.value.message.startswith("profiles.robot.")
    assert hint in refused.value.hint


def test_the_digest_tells_versions_of_a_profile_apart() -> None:
    first, second = from_table("robot", {"lifetime": "5d"}), from_table("robot", {"lifetime": "6d"})
    assert first.digest != second.digest
    assert first == from_table("robot", {"lifetime": "5d"})
    assert hash(first) == hash(from_table("robot", {"lifetime": "5d"}))
    assert '"lifetime":432000' in first.snapshot()
