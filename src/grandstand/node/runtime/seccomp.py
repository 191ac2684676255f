"""The seccomp filter of `RuntimeDefault`: which system calls a container may make, by its capabilities."""

from __future__ import annotations

import errno
import tomllib
from collections.abc import Collection
from functools import cache
from importlib import resources
from typing import Any

# CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET: see namespaces(7).
NAMESPACE_FLAGS = 0x7E020000
# Linux, Linux32, each with and without UNAME26; the last asks which one it is.
HARMLESS_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
# Address families that reach past the container's network namespace: the kernel's crypto (38), the hypervisor (40).
AF_ALG, AF_VSOCK = 38, 40


@cache
def profile_data() -> dict[str, Any]:
    """The data file, parsed once."""
    return tomllib.loads(resources.files(__package__).joinpath("seccomp.toml").read_text())


def seccomp_profile(capabilities: Collection[str], machine: str, kernel: tuple[int, int]) -> dict[str, Any]:
    """The OCI `linux.seccomp` for a container's capabilities on a machine (`uname -m`) and kernel version."""
    data = profile_data()
    allowed = {name for names in data["always"].values() for name in names.split()}
    for capability in capabilities:
        allowed.update(data["with"].get(capability, "").split())
    for version, group in data["since"].items():
        if kernel >= tuple(int(part) for part in version.split(".")):
            allowed.update(group["names"].split())
    special = [] if "CAP_SYS_ADMIN" in capabilities else _rules_for_clone()
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "architectures": data["architectures"].get(machine, []),
        "syscalls": [_allow(sorted(allowed)), *special, *_rules_for_personality(), *_rules_for_socket()],
    }


def _rules_for_clone() -> list[dict[str, Any]]:
    """New threads and processes, but no new namespaces.

    A filter cannot see the flags of clone3, which lie behind a pointer: ENOSYS makes glibc fall back to clone.
    """
    clone3 = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}
    return [_allow(["clone"], _argument(0, "SCMP_CMP_MASKED_EQ", NAMESPACE_FLAGS, 0)), clone3]


def _rules_for_personality() -> list[dict[str, Any]]:
    return [_allow(["personality"], _argument(0, "SCMP_CMP_EQ", value)) for value in HARMLESS_PERSONALITIES]


def _rules_for_socket() -> list[dict[str, Any]]:
    # Conditions on the same argument are alternatives, so "neither" has to be said as ranges.
    return [
        _allow(["socket"], _argument(0, "SCMP_CMP_LT", AF_ALG)),
        _allow(["socket"], _argument(0, "SCMP_CMP_EQ", AF_ALG + 1)),
        _allow(["socket"], _argument(0, "SCMP_CMP_GT", AF_VSOCK)),
    ]


def _allow(names: list[str], *arguments: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ALLOW", **({"args": list(arguments)} if arguments else {})}


def _argument(index: int, comparison: str, value: int, value_two: int = 0) -> dict[str, Any]:
    return {"index": index, "value": value, "valueTwo": value_two, "op": comparison}
