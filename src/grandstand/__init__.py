"""Grandstand keeps web services and functions up while a crowd arrives, moves and leaves."""

__version__ = "0.1.0"
