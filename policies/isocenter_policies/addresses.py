"""Addresses of networks, as far as rules ask about them."""

from ipaddress import ip_address

# Azure's own name server, the same in each virtual network; AWS writes its own by name.
_OF_THE_CLOUD = ("168.63.129.16", "AmazonProvidedDNS")


def is_inside(address: str) -> bool:
    """Whether this is a private address, the cloud's own name server, or a reference to another resource."""
    if address in _OF_THE_CLOUD or address.startswith("${"):
        return True
    try:
        return ip_address(address).is_private
    except ValueError:
        return False
