"""The way in: HAProxy, and what drives it."""
