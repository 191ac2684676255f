"""SQS's API on Lambda's port: AWS's JSON protocol, translated to durable queues."""

from __future__ import annotations

from .calls import Call, Parts
from .faults import CONTENT_TYPE, written
from .names import Home
from .operations import TARGET, answer

__all__ = ["CONTENT_TYPE", "TARGET", "Call", "Home", "Parts", "answer", "written"]
