"""Which IP addresses a host that a user typed may lead to (server-side request forgery).

A name is resolved once, its addresses are judged, and the connection goes to one of exactly those:
a second look-up could answer otherwise (DNS rebinding).
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
#: (host, port) -> IP addresses as text, in the order to try. Raises OSError if there are none.
Resolver = Callable[[str, int], Sequence[str]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOOPBACK4 = ipaddress.IPv4Network("127.0.0.0/8")


def resolve(host: str, port: int) -> list[str]:
    """The system's resolver. Raises OSError, also for a name that cannot be encoded."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("host name cannot be encoded") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_loopback(address: str) -> bool:
    """Whether the address is this machine, in any of its notations."""
    ip = _plain(address)
    return ip.is_loopback or (isinstance(ip, ipaddress.IPv4Address) and ip in _LOOPBACK4)


def is_permitted(address: str, *, allow_private: bool) -> bool:
    """Whether we may connect there.

    `allow_private` adds loopback and private networks, never link-local (cloud metadata), multicast
    or the unspecified address.
    """
    ip = _plain(address)
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    if ip.is_loopback or ip.is_private or ip.is_reserved or _is_site_local(ip):
        return allow_private
    return allow_private or ip.is_global


def _is_site_local(ip: IpAddress) -> bool:
    """Withdrawn (RFC 3879), and still in use inside; Python counts it among the global ones."""
    return isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local


def _plain(address: str) -> IpAddress:
    """Without a zone, and an IPv4 address out of the IPv6 notations that carry one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
