"""The Pod network: sandboxes with an address each, Services, and the way to the world and back."""

from .endpoint_index import EndpointIndex
from .links import taken_networks
from .name_files import hosts_file, resolv_conf
from .network import Network, destroy_network
from .sandboxes import HostPort, Sandbox, SandboxSpec
from .service_rules import ServiceRules

__all__ = [
    "EndpointIndex",
    "HostPort",
    "Network",
    "Sandbox",
    "SandboxSpec",
    "ServiceRules",
    "destroy_network",
    "hosts_file",
    "resolv_conf",
    "taken_networks",
]
