"""Which system calls a function may not make, on x86_64 and aarch64. Pure."""

from __future__ import annotations

import errno

from .bpf import ARCHITECTURE, NUMBER, Jump, Label, Line, Load, Return, argument, assemble

ALLOW, KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
# Every CLONE_NEW* that clone(2) knows: mount, cgroup, uts, ipc, user, pid, net.
NAMESPACES = 0x7E020000
# Families outside of network namespaces (AF_VSOCK reaches the hypervisor), or rich in faults (AF_ALG).
FAMILIES = (38, 40)
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
SOCKET = {"x86_64": 41, "aarch64": 198}

# Per name: x86_64, aarch64 (None: there is none).
DENIED: dict[str, tuple[int, int | None]] = {
    "ptrace": (101, 117),
    "syslog": (103, 116),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "pivot_root": (155, 41),
    "_sysctl": (156, None),
    "adjtimex": (159, 171),
    "chroot": (161, 51),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "mount": (165, 40),
    "umount2": (166, 39),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "quotactl": (179, 60),
    "nfsservctl": (180, 42),
    "lookup_dcookie": (212, 18),
    "clock_settime": (227, 112),
    "kexec_load": (246, 104),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "migrate_pages": (256, 238),
    "unshare": (272, 97),
    "move_pages": (279, 239),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "clock_adjtime": (305, 266),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "finit_module": (313, 273),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "mount_setattr": (442, 442),
    "quotactl_fd": (443, 443),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "open_tree_attr": (467, 467),
}


def denied_numbers(machine: str) -> tuple[int, ...]:
    column = list(ARCHITECTURES).index(machine)
    return tuple(number for pair in DENIED.values() if (number := pair[column]) is not None)


def program(machine: str) -> bytes:
    """The filter for a machine as `uname -m` names it. Raises KeyError for one that is not known.

    clone3 hides its flags from filters: ENOSYS makes libc fall back to clone, whose flags are seen.
    """
    lines: list[Line] = [
        Load(ARCHITECTURE),
        Jump("==", ARCHITECTURES[machine], "known"),
        Return(KILL),
        Label("known"),
        Load(NUMBER),
    ]
    if machine == "x86_64":
        lines.append(Jump(">=", _X32, "missing"))
    lines += [Jump("==", number, "denied") for number in denied_numbers(machine)]
    lines += [
        Jump("==", CLONE3, "missing"),
        Jump("==", CLONE[machine], "clone"),
        Jump("==", SOCKET[machine], "socket"),
        Return(ALLOW),
        Label("clone"),
        Load(argument(0)),
        Jump("&", NAMESPACES, "denied"),
        Return(ALLOW),
        Label("socket"),
        Load(argument(0)),
        *(Jump("==", family, "family") for family in FAMILIES),
        Return(ALLOW),
        Label("denied"),
        Return(_ERROR | errno.EPERM),
        Label("missing"),
        Return(_ERROR | errno.ENOSYS),
        Label("family"),
        Return(_ERROR | errno.EAFNOSUPPORT),
    ]
    return assemble(lines)
