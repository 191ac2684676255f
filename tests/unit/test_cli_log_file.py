"""The log of a detached engine changes its file, and what writes to stderr goes along."""

import logging
import os

from grandstand.cli.log_file import OLDER_FILES, LogFile


def test_files_change_without_losing_a_line(tmp_path):
    path = tmp_path / "engine.log"
    stderr = os.open(os.devnull, os.O_WRONLY)
    handler = LogFile(path, (stderr,), most_bytes=100)
    wanted = []
    try:
        for number in range(10):
            handler.emit(logging.makeLogRecord({"msg": f"record {number} of the log"}))
            os.write(stderr, f"crash {number}\n".encode())
            wanted += [f"record {number} of the log", f"crash {number}"]
    finally:
        handler.close()
        os.close(stderr)
    files = sorted(tmp_path.iterdir(), reverse=True)
    assert 1 < len(files) <= OLDER_FILES + 1
    assert "".join(file.read_text() for file in files).splitlines() == wanted
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
