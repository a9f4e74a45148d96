"""Publishing a CRL after a revocation: into the authority's directory `crl/`, or at the service."""

from handfast.cli._output import note, say
from handfast.client.desk import Desk
from handfast.errors import Denied, HandfastError


def publish(authority: Desk, issuer: str, *, quiet: bool = False) -> bool:
    """Sign and publish the issuer's CRL; when its key cannot be used, say what to do. True: done."""
    try:
        published = authority.publish(issuer)
    except Denied:
        note("the change is on record; the service makes the next CRL by itself, and OCSP tells of it at once")
        return False
    except HandfastError as error:
        note(f"the change is on record, and no CRL tells of it yet: {error.message}")
        note(f"hint: {error.hint}; then run: handfast crl {issuer}")
        return False
    if quiet:
        return True
    if published.place:
        say(f"published {published.place}; a server knows once it has the file and reloads")
    else:
        say(f"the service published CRL {published.number} of {issuer}; a server knows once it fetches it and reloads")
    return True
