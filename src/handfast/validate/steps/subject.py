"""The certificate is the peer's whom we mean: an expected name is in it (RFC 9525, RFC 5280 section 4.2.1.6)."""

from ipaddress import ip_address

from handfast.errors import Malformed
from handfast.pki.names import Name, NameKind
from handfast.validate.distinguished_names import attributes, same_name
from handfast.validate.general_names import GeneralName, NameType
from handfast.validate.path import Examination
from handfast.validate.steps.common_name import COMMON_NAME

_KINDS = {
    NameKind.DNS: NameType.DNS,
    NameKind.IP: NameType.IP,
    NameKind.EMAIL: NameType.EMAIL,
    NameKind.URI: NameType.URI,
}
_SHOWN = 5


def check(examination: Examination) -> None:
    """No expected name asks nothing; of several, one is enough. A directory name is asked besides."""
    _check_directory_name(examination)
    wanted = examination.policy.names
    names = examination.leaf.says.names or ()
    if not wanted or any(matches(expected, name) for expected in wanted for name in names):
        return
    asked = " or ".join(str(name) for name in wanted)
    if _is_common_name(examination):
        message = f"{asked} is in the common name only"
        examination.note("name-in-common-name-only", 0, message)
        return
    shown = ", ".join(str(name)[:80] for name in names[:_SHOWN]) or "no names"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    examination.note("name-mismatch", 0, f"it is not for {asked}, but for {shown}{more}")


def matches(expected: Name, name: GeneralName) -> bool:
    """Whether a name in a certificate stands for the expected one."""
    if _KINDS[expected.kind] is not name.kind:
        return False
    if expected.kind is NameKind.IP:
        return ip_address(expected.value).packed == name.octets
    if expected.kind is NameKind.DNS:
        return matches_host(expected.value, name.text)
    if expected.kind is NameKind.EMAIL:
        return _mailbox(expected.value) == _mailbox(name.text)
    return expected.value == name.text


def matches_host(host: str, pattern: str) -> bool:
    """Whether the host is the pattern's; a wildcard stands for one whole first label (RFC 9525 section 6.3)."""
    host, pattern = host.lower().rstrip("."), pattern.lower()
    if not pattern.startswith("*."):
        return host == pattern
    label, dot, rest = host.partition(".")
    return bool(label and dot) and rest == pattern[2:]


def _mailbox(text: str) -> tuple[str, str]:
    local, _, domain = text.rpartition("@")
    return local, domain.lower()


def _is_common_name(examination: Examination) -> bool:
    if any(name.kind in {NameType.DNS, NameType.IP} for name in examination.leaf.says.names or ()):
        return False
    try:
        values = attributes(examination.leaf.subject, COMMON_NAME)
    except Malformed:
        return False
    hosts = [name for name in examination.policy.names if name.kind in {NameKind.DNS, NameKind.IP}]
    return any(matches_host(name.value, value) for name in hosts for value in values)


def _check_directory_name(examination: Examination) -> None:
    wanted = examination.policy.directory_name
    if wanted is None:
        return
    expected = wanted.public_bytes()
    names = examination.leaf.says.names or ()
    found = [name.octets for name in names if name.kind is NameType.DIRECTORY]
    if not any(same_name(expected, each) for each in (examination.leaf.subject, *found)):
        message = f"it is not for {wanted.rfc4514_string()}, but for {examination.leaf.name}"
        examination.note("name-mismatch", 0, message)
