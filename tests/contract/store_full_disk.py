"""Fill the file to a limit, as a full disk would, and go on when there is room again.

Run as `python store_full_disk.py DATABASE`; prints `{"failed": "the message", "kept": …}` or fails.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from grandstand.api.store import Store, StoreKey
from grandstand.errors import PlatformError

LIMIT_BYTES = 300_000


async def fill(store: Store) -> tuple[int, str]:
    """Write until it fails; the objects kept, and the message."""
    for number in range(1000):
        try:
            await store.write(StoreKey("pods", "", str(number)), lambda before: {"padding": "x" * 5000})
        except PlatformError as error:
            return number, error.message
    raise AssertionError("the limit was never met")


async def main(path: Path) -> None:
    store = Store(path)
    await store.open()
    # Python ignores SIGXFSZ, so that a write beyond the limit fails with EFBIG.
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, resource.RLIM_INFINITY))
    kept, message = await fill(store)
    assert store.revision == len(store.list("pods")[0]) == kept > 0
    again, _ = await fill(store)
    assert again == kept, "equal objects write nothing, and the next new one fails as before"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for number in range(kept, kept + 10):
        await store.write(StoreKey("pods", "", str(number)), lambda before: {"padding": "y"})
    expected = store.list("pods")
    await store.close()
    await store.open()
    assert store.list("pods") == expected
    assert len(expected[0]) == kept + 10
    await store.close()
    print(json.dumps({"kept": kept, "failed": message}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
