"""E-mail addresses in certificates (RFC 5280 section 4.2.1.6 rfc822Name, RFC 5321 section 4.1.2)."""

from handfast.pki.dns_name import parse_dns_name
from handfast.pki.spelling import Spelling, name_of

_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")
_HINT = "an e-mail address looks like alice@example.com"


def parse_mail_name(spelling: Spelling) -> str:
    """The address, its domain in lower case with A-labels. The part before the @ keeps its case: it may matter."""
    body = spelling.body
    at = body.rfind("@")
    if at < 0:
        raise spelling.wrong(len(body), "the e-mail address has no @", hint=_HINT)
    local = body[:at]
    if not local:
        raise spelling.wrong(0, "the e-mail address has nothing before the @", hint=_HINT)
    _check_local(spelling, local)
    if body.endswith("."):
        raise spelling.wrong(len(body) - 1, "the e-mail address ends with a dot", hint=_HINT)
    if body[at + 1 :].startswith(("*", "[")):
        raise spelling.wrong(at + 1, "the e-mail address needs a domain after the @", hint=_HINT)
    return f"{local}@{parse_dns_name(spelling.part(at + 1, len(body)))}"


def _check_local(spelling: Spelling, local: str) -> None:
    for position, character in enumerate(local):
        if not character.isascii():
            message = (
                f"{name_of(character)} before the @ needs SmtpUTF8Mailbox (RFC 9598), which handfast does not issue"
            )
            raise spelling.wrong(position, message, hint="use an address in ASCII before the @")
        if character not in _LOCAL:
            raise spelling.wrong(position, f"an e-mail address cannot have {name_of(character)}", hint=_HINT)
    if local[0] == "." or local[-1] == "." or ".." in local:
        position = 0 if local[0] == "." else max(local.find(".."), 0) or len(local) - 1
        raise spelling.wrong(position, "a dot stands in the wrong place", hint=_HINT)
    if len(local) > 64:
        raise spelling.wrong(64, "the part before the @ is longer than 64 characters", hint=_HINT)
