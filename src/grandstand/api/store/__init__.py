"""The embedded store: objects under etcd-like revisions, durable in one SQLite file, watched from memory."""

from __future__ import annotations

from .database import Database
from .records import Change, Stored, StoreKey
from .store import Ledger, Store
from .subscriptions import Subscription

__all__ = ["Change", "Database", "Ledger", "Store", "StoreKey", "Stored", "Subscription"]
