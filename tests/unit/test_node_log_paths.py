"""What is kept of the runs of a container that ends again and again."""

from pathlib import Path

from grandstand.node.log_paths import log_path, remove_older_runs, termination_path


def test_old_logs_and_messages_do_not_pile_up(tmp_path: Path) -> None:
    for run in range(1, 13):
        log = log_path(tmp_path, "app", run)
        log.parent.mkdir(parents=True, exist_ok=True)
        remove_older_runs(tmp_path, "app", run)
        log.write_text("text")
        log.with_name(f"{log.name}.000001").write_text("older text")
        message = termination_path(tmp_path, "app", run)
        message.parent.mkdir(exist_ok=True)
        message.write_text("message")
    other = termination_path(tmp_path, "app-1", 1)
    other.write_text("of another container")
    remove_older_runs(tmp_path, "app", 13)
    assert sorted(path.name for path in (tmp_path / "logs/app").iterdir()) == ["12.log", "12.log.000001"]
    assert list((tmp_path / "termination").iterdir()) == [other]
