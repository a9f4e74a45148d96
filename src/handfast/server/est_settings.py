"""The settings below [est]: labels, the spelling of answers, channel binding."""

from collections.abc import Mapping
from typing import Any

from handfast.ca.enrollment import ChannelBinding, CsrAttributes, Enrollment, Label
from handfast.errors import ConfigError
from handfast.pki.nearest import nearest
from handfast.pki.profile import Profile
from handfast.protocols.est_messages import OPERATIONS
from handfast.server.setting_values import as_known_table, as_lifetime, as_list, as_switch, as_table, as_text

_KNOWN = ("profile", "wrap", "channel_binding", "csrattrs", "retry_after", "labels", "decrypt_keys")
_AES_KEYS = frozenset({16, 24, 32})


def parse_est(key: str, value: object) -> Enrollment:
    """What the table says. Raises ConfigError that names the key."""
    table = as_known_table(key, value, _KNOWN)
    default = Enrollment()
    wrap = as_switch(f"{key}.wrap", table.get("wrap", True))
    labels = as_table(f"{key}.labels", table.get("labels", {}))
    retry_after = _word(f"{key}.retry_after", table.get("retry_after", "60s"))
    return Enrollment(
        profile=_word(f"{key}.profile", table.get("profile", default.profile)),
        is_wrapped=wrap,
        channel_binding=ChannelBinding(_choice(f"{key}.channel_binding", table, ChannelBinding.VERIFY)),
        csr_attributes=CsrAttributes(_choice(f"{key}.csrattrs", table, CsrAttributes.BOTH)),
        retry_after=as_lifetime(f"{key}.retry_after", retry_after),
        labels={name: _label(f"{key}.labels.{name}", name, one, wrap=wrap) for name, one in labels.items()},
        decrypt_keys=_decrypt_keys(f"{key}.decrypt_keys", table.get("decrypt_keys", [])),
    )


def require_profiles(enrollment: Enrollment, profiles: Mapping[str, Profile]) -> None:
    """Raise ConfigError for a profile that is not there, or is a CA's, which nobody enrolls for."""
    named = {"est.profile": enrollment.profile}
    named |= {f"est.labels.{name}.profile": label.profile for name, label in enrollment.labels.items()}
    usable = [name for name, profile in profiles.items() if not profile.is_ca]
    for key, name in named.items():
        if name not in usable:
            raise ConfigError(f"{key} cannot be {name!r}", hint=nearest(name, usable))


def _label(key: str, name: str, value: object, *, wrap: bool) -> Label:
    if name in OPERATIONS or "/" in name:
        raise ConfigError(f"{key}: a label cannot be called so", hint="RFC 7030 keeps the names of operations")
    table = as_known_table(key, value, ("profile", "wrap"))
    profile = _word(f"{key}.profile", table.get("profile", name))
    return Label(profile=profile, is_wrapped=as_switch(f"{key}.wrap", table.get("wrap", wrap)))


def _decrypt_keys(key: str, value: object) -> Mapping[bytes, bytes]:
    return dict(as_list(key, value, _decrypt_key, like='"ID:KEY"'))


def _decrypt_key(key: str, value: object) -> tuple[bytes, bytes]:
    identifier, _, secret = _word(key, value).partition(":")
    try:
        pair = bytes.fromhex(identifier), bytes.fromhex(secret)
    except ValueError:
        pair = b"", b""
    if not pair[0] or len(pair[1]) not in _AES_KEYS:
        # The value is a secret: it is not repeated.
        raise ConfigError(f"{key} has an entry that is no ID:KEY", hint="both in hex; the key has 16, 24 or 32 octets")
    return pair


def _choice(key: str, table: Mapping[str, Any], default: ChannelBinding | CsrAttributes) -> str:
    text = _word(key, table.get(key.rpartition(".")[2], default.value))
    known = [one.value for one in type(default)]
    if text not in known:
        raise ConfigError(f"{key} cannot be {text!r}", hint=nearest(text, known))
    return text


def _word(key: str, value: object) -> str:
    """A text with something in it."""
    return as_text(key, value, bool)
