"""The addresses that a request may reach: public ones, and the networks that the operator allows. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IPAddress = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

# All public IPv6 addresses are here; the rest is loopback, local, multicast, documentation or unassigned.
_UNICAST: Final = IPv6Network("2000::/3")
# NAT64 (RFC 6052): the last four bytes are an IPv4 address.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Python 3.11 does not count these as private: benchmarks, and the relays of 6to4.
_SPECIAL: Final = (IPv4Network("198.18.0.0/15"), IPv4Network("192.88.99.0/24"), IPv4Network("192.0.0.0/24"))


class RefusedAddress(Exception):
    """The host has an address that is neither public nor in an allowed network."""


def networks_of(text: str) -> Networks:
    """The networks of a list with commas, such as "127.0.0.0/8, ::1". Raises ValueError."""
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def check_addresses(addresses: Iterable[str], allowed: Networks) -> list[str]:
    """The addresses, without repetitions, in order. Raises RefusedAddress if one of them is not allowed.

    A host with a public and a private address is refused: a later request could reach the other one.
    """
    found = list(dict.fromkeys(addresses))
    for text in found:
        # A zone, as in fe80::1%eth0, is a part of a link-local address.
        address = ip_address(text.partition("%")[0])
        if not is_allowed(address, allowed):
            raise RefusedAddress
    return found


def is_allowed(address: IPAddress, allowed: Networks) -> bool:
    """Whether a request may reach the address."""
    inner = _embedded(address)
    return is_public(address) or any(inner in each for each in allowed if each.version == inner.version)


def is_allowed_host(host: str, allowed: Networks) -> bool:
    """Whether a host may be allowed: it is a name, or an address that a request may reach."""
    try:
        address = ip_address(host)
    except ValueError:
        return True
    return is_allowed(address, allowed)


def is_public(address: IPAddress) -> bool:
    """Whether the address, and an IPv4 address that is embedded in it, belong to the public Internet."""
    inner = _embedded(address)
    if isinstance(inner, IPv4Address):
        special = inner.is_multicast or inner.is_reserved or any(inner in each for each in _SPECIAL)
        return inner.is_global and not special
    return inner in _UNICAST and inner.is_global


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address contains; the address itself for all others."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
