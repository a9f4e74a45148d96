"""What `renew` and `rekey` do with the old certificate: say that it is still valid, and offer to revoke it."""

from handfast.ca.records import CertificateRecord, Reason, State
from handfast.cli._output import ask, is_interactive, note, say
from handfast.cli._publishing import publish
from handfast.client.desk import Desk
from handfast.pki.serial import serial_text


def settle_old(authority: Desk, old: CertificateRecord, *, revoke: bool, quiet: bool) -> bool:
    """True when the old certificate was revoked, because that was asked for or answered."""
    if old.state(authority.clock()) is not State.VALID:
        return False
    told = f"the old certificate {serial_text(old.serial)} stays valid until {old.not_after:%Y-%m-%d}"
    if not revoke:
        note(told)
        if is_interactive() and not quiet:
            revoke = ask("Revoke it now?")
    if not revoke:
        note(f"to revoke it when the new one is in use: handfast revoke {serial_text(old.serial)}")
        return False
    authority.revoke(old, Reason.SUPERSEDED)
    if not quiet:
        say(f"revoked the old certificate {serial_text(old.serial)}")
    publish(authority, old.issuer, quiet=quiet)
    return True
