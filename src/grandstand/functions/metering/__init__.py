"""Count what functions do, durably, and say what it would cost on AWS."""

from .ledger import Counts, Ledger, Metered, Page
from .metering import Metering
from .reading import Figures, Usage, figures

__all__ = ["Counts", "Figures", "Ledger", "Metered", "Metering", "Page", "Usage", "figures"]
