"""Publishing a CRL after a revocation: into the authority's directory `crl/`, where servers are given it from."""

from pathlib import Path

from handfast.ca.authority import Authority
from handfast.cli._authority import current_session
from handfast.cli._output import note, say
from handfast.errors import HandfastError
from handfast.server.layout import publish_crl


def publish(authority: Authority, issuer: str, *, quiet: bool = False) -> bool:
    """Sign and write the issuer's CRL; when its key cannot be used, say what to do. True: done."""
    try:
        path = publish_crl(Path(current_session().directory), authority, issuer)
    except HandfastError as error:
        note(f"the change is on record, and no CRL tells of it yet: {error.message}")
        note(f"hint: {error.hint}; then run: handfast crl {issuer}")
        return False
    if not quiet:
        say(f"published {path}; a server knows once it has the file and reloads")
    return True
