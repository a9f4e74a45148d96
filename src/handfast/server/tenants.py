"""The tenants of a service: each an authority of its own, in its own directory, with its own store, keys and people."""

from collections.abc import Mapping

from handfast.ca.records import Role
from handfast.errors import ConfigError, HandfastError
from handfast.keys.passphrase import PassphraseSource
from handfast.server.assembly import Parts, open_parts
from handfast.server.service import Service
from handfast.stores.migrations import Watch, unwatched


def open_tenants(parts: Parts, *, passphrase: PassphraseSource, watch: Watch = unwatched) -> Mapping[str, Parts]:
    """What the tenants that the settings of `parts` name are put together from, by their names.

    watch: as open_parts() tells it.

    Raises ConfigError for a directory without an authority, for two tenants that are the same authority, and for a
    tenant that has tenants; then nothing stays open.
    """
    opened: dict[str, Parts] = {}
    try:
        for name in parts.settings.tenants:
            opened[name] = _open(parts, name, passphrase, watch)
        _require_apart({"": parts, **opened})
    except HandfastError:
        for one in opened.values():
            one.store.close()
        raise
    return opened


def unlock_all(service: Service) -> None:
    """Load the key that each tenant issues with, so that a missing passphrase is noticed at the start.

    Raises ConfigError that names the tenant.
    """
    for name, authority in service.authorities.items():
        try:
            authority.issuer().unlock()
        except ConfigError as error:
            raise ConfigError(f"{_words(name)}{error.message}", hint=error.hint) from None


def passphrases_of(tenant: str, passphrase: PassphraseSource) -> PassphraseSource:
    """The source for a tenant's keys: asked by TENANT.KEY, so that each may have its own."""
    return lambda key: passphrase(f"{tenant}.{key}")


def _open(parts: Parts, name: str, passphrase: PassphraseSource, watch: Watch) -> Parts:
    directory, source = parts.directory / parts.settings.tenants[name], passphrases_of(name, passphrase)
    try:
        found = open_parts(directory, passphrase=source, clock=parts.clock, watch=watch)
    except ConfigError as error:
        raise ConfigError(f"{_words(name)}{error.message}", hint=error.hint) from None
    if found.settings.tenants:
        found.store.close()
        raise ConfigError(f"{_words(name)}it has tenants of its own", hint="name them in the first handfast.toml")
    return found


def _require_apart(all_parts: Mapping[str, Parts]) -> None:
    """Two tenants on one store, or on copies of one, would see and sign each other's."""
    seen: dict[object, str] = {}
    for name, parts in all_parts.items():
        own = {record.certificate for record in parts.store.issuers() if record.role is Role.ISSUING}
        for mark in (parts.directory.resolve(), *own):
            if mark in seen:
                who = f"the tenant {seen[mark]}" if seen[mark] else "the service's own authority"
                raise ConfigError(
                    f"{_words(name)}it is the same authority as {who}", hint="make another one: handfast init DIR"
                )
            seen[mark] = name


def _words(name: str) -> str:
    return f"tenant {name}: " if name else ""
