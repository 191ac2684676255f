"""Share what a server can do at once among its askers, so that one of them cannot use it up for all."""

from __future__ import annotations

from collections import Counter


class Shares:
    """`most` at once, and of them `most_of_one` for each asker."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._taken: Counter[str] = Counter()

    def take(self, asker: str) -> bool:
        """Whether there is room for one more of this asker; then `give_back` it at the end."""
        if self._taken.total() >= self._most or self._taken[asker] >= self._most_of_one:
            return False
        self._taken[asker] += 1
        return True

    def give_back(self, asker: str) -> None:
        self._taken[asker] -= 1
        if not self._taken[asker]:
            del self._taken[asker]
