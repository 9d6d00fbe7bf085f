"""Which addresses are the public internet's."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Every entry of IANA's registries of special-purpose addresses is refused, also those that the registries call globally
# reachable: they are relays and anycast services of the network itself, and the nearest one may be the operator's own.
# An entry inside another one is left out.
SPECIAL = (
    # https://www.iana.org/assignments/iana-ipv4-special-registry
    "0.0.0.0/8",  # this network, RFC 791
    "10.0.0.0/8",  # private, RFC 1918
    "100.64.0.0/10",  # shared by a provider's customers, RFC 6598; metadata of Alibaba Cloud: 100.100.100.200
    "127.0.0.0/8",  # loopback, RFC 1122
    "169.254.0.0/16",  # link-local, RFC 3927; metadata of most clouds: 169.254.169.254, of ECS tasks: 169.254.170.2
    "172.16.0.0/12",  # private, RFC 1918
    "192.0.0.0/24",  # protocol assignments, RFC 6890; metadata of Oracle Cloud: 192.0.0.192
    "192.0.2.0/24",  # documentation, RFC 5737
    "192.31.196.0/24",  # AS112, RFC 7535
    "192.52.193.0/24",  # multicast tunnels (AMT), RFC 7450
    "192.88.99.0/24",  # relays of 6to4, deprecated, RFC 7526
    "192.168.0.0/16",  # private, RFC 1918
    "192.175.48.0/24",  # AS112, RFC 7534
    "198.18.0.0/15",  # benchmarks, RFC 2544
    "198.51.100.0/24",  # documentation, RFC 5737
    "203.0.113.0/24",  # documentation, RFC 5737
    "240.0.0.0/4",  # reserved, RFC 1112; it holds the limited broadcast, RFC 8190
    # https://www.iana.org/assignments/multicast-addresses
    "224.0.0.0/4",
    # https://www.iana.org/assignments/iana-ipv6-special-registry, as far as the entries are global unicast addresses
    "2001::/23",  # protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID, AMT, AS112 and more
    "2001:db8::/32",  # documentation, RFC 3849
    "2002::/16",  # 6to4, RFC 3056: the public relays are gone, a private one leads inside
    "2620:4f:8000::/48",  # AS112, RFC 7534
    "3fff::/20",  # documentation, RFC 9637
    # Clouds that use public addresses inside
    "168.63.129.16/32",  # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    "161.26.0.0/16",  # https://cloud.ibm.com/docs/infrastructure-hub?topic=infrastructure-hub-ibm-cloud-ip-ranges
    "166.8.0.0/14",  # the same page
)
# Of IPv6 only this block is for public hosts (https://www.iana.org/assignments/ipv6-address-space). The rest is refused
# without a list: `::1`, `::`, `::a.b.c.d`, 64:ff9b:1::/48, 100::/64, 5f00::/16, fc00::/7 (with the metadata of AWS at
# fd00:ec2::254 and of Google at fd20:ce::254), fe80::/10, the former site-local fec0::/10, multicast ff00::/8.
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# These two carry an IPv4 address, and are as open as that one. The well-known prefix of NAT64 (RFC 6052) is what an
# IPv6-only network makes of every public IPv4 address; 64:ff9b:1::/48 (RFC 8215) leads wherever its operator wants.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)  # the upper half of an interface identifier that ends with an IPv4 address, RFC 5214

_SPECIAL = {
    version: [network for network in map(ipaddress.ip_network, SPECIAL) if network.version == version]
    for version in (4, 6)
}


def is_public(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether an address is public, or in one of the networks that are `allowed` all the same."""
    if (inside := _carried(address)) is not None:
        return is_public(inside, allowed)
    if any(address in network for network in allowed if network.version == address.version):
        return True
    if any(address in network for network in _SPECIAL[address.version]):
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    inside = _tunneled(address)
    return address in GLOBAL_UNICAST and (inside is None or is_public(inside, allowed))


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address of which an IPv6 address is another spelling: mapped, or by the well-known prefix of NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    return _last_32_bits(address) if address in _NAT64 else address.ipv4_mapped


def _tunneled(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address at the end of an ISATAP tunnel. Those of 6to4 and Teredo need no look: all are refused."""
    return _last_32_bits(address) if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP else None


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
