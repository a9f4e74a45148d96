"""List the kinds of certificates (profiles), and what each allows."""

import click

from handfast.cli._authority import current_session
from handfast.cli._desk import desk
from handfast.cli._options import desk_options, examples, json_option
from handfast.cli._output import print_fields, print_json, print_table
from handfast.errors import ConfigError
from handfast.pki.lifetime import format_lifetime
from handfast.pki.nearest import nearest
from handfast.pki.profile import BUILT_IN, Profile
from handfast.pki.profile_document import to_document

SECTION = "The authority"


@click.command(epilog=examples("handfast profiles", "handfast profiles device"))
@click.argument("name", required=False, metavar="[PROFILE]")
@desk_options
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the profiles, or show one of them.

    Without an authority, these are the built-in ones; its handfast.toml adds and changes some.
    """
    profiles = _profiles()
    if name is not None and name not in profiles:
        raise ConfigError(f"there is no profile {name!r}", hint=nearest(name, profiles))
    chosen = [profiles[name]] if name is not None else list(profiles.values())
    if as_json:
        print_json({"profiles": [to_document(profile) for profile in chosen]})
    elif name is not None:
        print_fields((label.replace("_", " "), _shown(value)) for label, value in to_document(chosen[0]).items())
    else:
        rows = [(one.name, format_lifetime(one.lifetime), one.title.partition(": ")[2] or one.title) for one in chosen]
        print_table(("profile", "lifetime", "for"), rows, whole=("profile", "lifetime"))


def _profiles() -> dict[str, Profile]:
    session = current_session()
    try:
        return dict(desk().profile_map())
    except ConfigError as error:
        if session.ca is not None or not error.message.startswith("there is no authority"):
            raise
        return dict(BUILT_IN)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    return str(value) if value is not None else ""
