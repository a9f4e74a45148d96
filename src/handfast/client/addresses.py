"""Which addresses the egress client may reach: the public internet, and what the operator configured."""

import ipaddress
import socket
from dataclasses import dataclass

from handfast.errors import ConfigError, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Metadata services outside the ranges that are refused anyway: Azure's wire server has a public address.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What may be fetched from where. Defaults: public addresses only, because the URLs come from certificates.

    allowed: networks that may be reached besides, such as the one a private CA's CRL server stands in. timeout: seconds
    for one fetch from connecting to the last byte. largest: bytes of one answer (a CRL of a million entries has 35 MB).
    anchors: roots in PEM that are trusted beside the machine's. certificate: the path of a file with a client
    certificate, its chain and its key in PEM, for servers that ask for one; empty for none.
    """

    allowed: tuple[Network, ...] = ()
    timeout: float = 10.0
    largest: int = 64 * 1024 * 1024
    redirects: int = 3
    anchors: str = ""
    certificate: str = ""


def resolve(host: str, port: int, policy: EgressPolicy) -> Address:
    """The one address to connect to; resolved once, so that what was checked is what is used.

    Raises Unavailable when the name does not resolve, ConfigError when any of its addresses may not be reached: a name
    that mixes public and private addresses is how rebinding attacks look.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        hint = "look whether the name is right and the resolver works, or give the file yourself"
        raise Unavailable(f"the name {host} does not resolve", hint=hint) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not is_permitted(address, policy):
            hint = f"if {address} is yours to fetch from, allow its network (--allow-network {address})"
            raise ConfigError(f"{host} has the address {address}, which is not public", hint=hint)
    return addresses[0]


def is_permitted(address: Address, policy: EgressPolicy) -> bool:
    """Whether this address may be connected to. What an IPv6 address wraps must be permitted too."""
    if any(address in network for network in policy.allowed if network.version == address.version):
        return True
    wrapped = _wrapped(address)
    if wrapped is not None:
        return is_permitted(wrapped, policy)
    return address.is_global and not address.is_multicast and address not in _METADATA


def _wrapped(address: Address) -> Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
