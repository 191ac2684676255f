"""Steady load from hey, over connections that stay open, and what came of each request."""

import re
import signal
import subprocess
from dataclasses import dataclass, field

LONGEST_SECONDS = 90


@dataclass
class Answers:
    """How many requests ended in which way."""

    by_status: dict[int, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def failures(self) -> dict[object, object]:
        """Whatever was not answered 200."""
        failed: dict[object, object] = {status: n for status, n in self.by_status.items() if status != 200}
        return failed | ({"errors": self.errors} if self.errors else {})


class Load:
    """Requests for as long as the context lasts; `answers` is complete after it."""

    def __init__(self, url: str, host: str, connections: int = 8, per_second: int = 50) -> None:
        """`per_second` is for each connection: enough to notice every gap, and little enough for two cores."""
        self.answers = Answers()
        self._command = ["hey", "-z", f"{LONGEST_SECONDS}s", "-c", str(connections), "-q", str(per_second), "-t", "10"]
        self._command += ["-host", host, url]

    def __enter__(self) -> "Load":
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.poll() is None, "the load ended before its time"
        self._process.send_signal(signal.SIGINT)
        out, _ = self._process.communicate(timeout=30)
        self.answers.by_status = {int(code): int(n) for code, n in re.findall(r"\[(\d{3})\]\s+(\d+) responses", out)}
        self.answers.errors = re.findall(r"^\s+\[\d+\]\s+(.*)$", out.partition("Error distribution:")[2], re.MULTILINE)
