"""The instances of functions: which there are, who gets the next request, and when they rest and go."""

from .fleet import Fleet
from .pool import Instance, Pool

__all__ = ["Fleet", "Instance", "Pool"]
