"""Tells addresses of our own networks from public ones, so that what strangers send does not lead into our networks."""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Holds an IPv4 address in its last 32 bits."""


def is_inside(address: str) -> bool:
    """Tell whether strangers do not reach an IP address: private, of this machine, or of no single host."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped or found.sixtofour:
            return is_inside(str(found.ipv4_mapped or found.sixtofour))
        if found in _NAT64:
            return is_inside(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return not found.is_global or found.is_multicast
