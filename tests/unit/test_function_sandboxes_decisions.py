"""The pure parts of sandboxes: BPF, the filter, limits, spares."""

from __future__ import annotations

import errno
import struct

import pytest

from grandstand.functions.sandboxes.binding import MEBIBYTE, Binding, cpu_shares_for, spares_to_start
from grandstand.functions.sandboxes.warm_parent import bpf, seccomp

DENIED, MISSING, NO_FAMILY = (0x50000 | number for number in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT))


def verdict(program: bytes, architecture: int, number: int, argument: int = 0) -> int:
    """What the kernel would return: its machine, as far as `assemble` uses it."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, argument, 0, 0, 0, 0, 0)
    code = list(struct.iter_unpack("=HBBI", program))
    at = loaded = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x06:
            return int(value)
        if operation == 0x20:
            loaded = struct.unpack_from("=I", data, value)[0]
            continue
        holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[operation]
        at += if_true if holds else if_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_denied_call_is_denied(machine: str) -> None:
    program = seccomp.program(machine)
    architecture = seccomp.ARCHITECTURES[machine]
    for number in seccomp.denied_numbers(machine):
        assert verdict(program, architecture, number) == DENIED


@pytest.mark.parametrize(
    ("machine", "number", "argument", "expected"),
    [
        ("x86_64", 0, 0, seccomp.ALLOW),
        ("x86_64", 56, 0x01200011, seccomp.ALLOW),
        ("x86_64", 56, 0x003D0F00, seccomp.ALLOW),
        ("x86_64", 56, 0x10000011, DENIED),
        ("x86_64", 56, 0x00020000, DENIED),
        ("x86_64", 56, 0x40000000, DENIED),
        ("x86_64", 435, 0, MISSING),
        ("x86_64", 0x40000000, 0, MISSING),
        ("x86_64", 41, 2, seccomp.ALLOW),
        ("x86_64", 41, 40, NO_FAMILY),
        ("x86_64", 41, 38, NO_FAMILY),
        ("x86_64", 220, 0x10000000, seccomp.ALLOW),
        ("aarch64", 220, 0x10000011, DENIED),
        ("aarch64", 220, 0x01200011, seccomp.ALLOW),
        ("aarch64", 435, 0, MISSING),
        ("aarch64", 198, 40, NO_FAMILY),
        ("aarch64", 63, 0, seccomp.ALLOW),
    ],
)
def test_what_the_filter_says(machine: str, number: int, argument: int, expected: int) -> None:
    assert verdict(seccomp.program(machine), seccomp.ARCHITECTURES[machine], number, argument) == expected


def test_another_architecture_is_killed() -> None:
    assert verdict(seccomp.program("x86_64"), 0x40000003, 0) == seccomp.KILL


@pytest.mark.parametrize("distance", [256, -1])
def test_a_label_out_of_reach_is_refused(distance: int) -> None:
    jump, rest = bpf.Jump("==", 1, "there"), [bpf.Return(0)] * 256
    lines = [jump, *rest, bpf.Label("there"), bpf.Return(1)] if distance > 0 else [bpf.Label("there"), jump]
    with pytest.raises(ValueError, match="there"):
        bpf.assemble(lines)


@pytest.mark.parametrize(
    ("memory_mb", "shares"), [(128, 74), (1769, 1024), (3538, 2048), (10240, 5927), (1, 2)], ids=str
)
def test_cpu_follows_memory(memory_mb: int, shares: int) -> None:
    assert cpu_shares_for(memory_mb * MEBIBYTE) == shares


def test_a_binding_limits_memory_and_processes(tmp_path) -> None:
    limits = Binding(tmp_path, memory_bytes=1769 * MEBIBYTE, pids=7, cpu_millicores=500).limits
    assert (limits.memory_bytes, limits.pids, limits.cpu_millicores, limits.cpu_shares) == (1769 << 20, 7, 500, 1024)


@pytest.mark.parametrize(
    ("wanted", "ready", "starting", "at_once", "expected"),
    [(4, 0, 0, 2, 2), (4, 0, 2, 2, 0), (4, 3, 0, 2, 1), (4, 3, 1, 2, 0), (4, 9, 0, 2, 0), (0, 0, 0, 2, 0)],
)
def test_spares_to_start(wanted: int, ready: int, starting: int, at_once: int, expected: int) -> None:
    assert spares_to_start(wanted=wanted, ready=ready, starting=starting, at_once=at_once) == expected
