"""Service: the authorities that one process serves, and what goes with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

from handfast.ca.authority import Authority
from handfast.ca.crossing import valid_crosses, with_crosses
from handfast.ca.ports import Clock
from handfast.errors import NotFound
from handfast.server.assembly import Parts, assemble, utc_now
from handfast.server.log import Log, quiet
from handfast.server.refusals import Sums
from handfast.server.settings import Settings
from handfast.server.together import Together

DEFAULT_TENANT = ""


@dataclass(slots=True, eq=False, kw_only=True)
class Service:
    """authorities: by the tenant's name; the one without a name is the process's own.

    parts: what the default authority was put together from; tenants: the same of each other one. The authorities are
    replaced as one by reload(): whoever handles a request keeps the one that it began with.
    """

    authorities: Mapping[str, Authority]
    parts: Parts
    settings: Settings
    tenants: Mapping[str, Parts] = field(default_factory=dict)
    clock: Clock = utc_now
    log: Log = field(default=quiet)
    _changing: Lock = field(default_factory=Lock, repr=False)

    @property
    def authority(self) -> Authority:
        """The authority of requests that name no tenant."""
        return self.authorities[DEFAULT_TENANT]

    def tenant(self, name: str) -> Authority:
        """The authority of a tenant. Raises NotFound."""
        if name not in self.authorities:
            raise NotFound(f"there is no tenant {name[:80]!r}", hint="check the address")
        return self.authorities[name]

    def parts_of(self, name: str) -> Parts:
        """What a tenant's authority was put together from."""
        return self.parts if name == DEFAULT_TENANT else self.tenants[name]

    def reload(self) -> None:
        """Take up issuers that were added to the stores since."""
        with self._changing:
            self.authorities = {
                name: replace(_authority(self.parts_of(name)), refusals=before.refusals)
                for name, before in self.authorities.items()
            }

    def take_crosses(self, tenant: str) -> None:
        """Send along the cross certificates that are valid now: not one that ended, or was revoked, since."""
        with self._changing:
            before = self.authorities[tenant]
            issuers = with_crosses(before.issuers, valid_crosses(before.store, before.clock()))
            if issuers != before.issuers:
                self.authorities = {**self.authorities, tenant: replace(before, issuers=issuers)}


def service_of(parts: Parts, *, tenants: Mapping[str, Parts] | None = None, log: Log = quiet) -> Service:
    """The service of one authority, and of its tenants (tenants.open_tenants)."""
    others = tenants or {}
    authorities = {name: _authority(one) for name, one in {DEFAULT_TENANT: parts, **others}.items()}
    return Service(
        authorities=authorities, parts=parts, settings=parts.settings, tenants=others, clock=parts.clock, log=log
    )


def _authority(parts: Parts) -> Authority:
    return replace(assemble(parts), carrier=Together(parts.store), refusals=Sums())
