"""Let the machine carry packets between Pods and the world, also where another firewall drops what it does not know."""

from __future__ import annotations

import logging
import shutil
import subprocess
from pathlib import Path

from grandstand.engine import Engine

from .nft import Nft
from .sandboxes import link_prefix

log = logging.getLogger(__name__)

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_LEGACY_TABLES = Path("/proc/net/ip_tables_names")
_IPTABLES_CHAIN = ("filter", "FORWARD")
_TIMEOUT_SECONDS = 10


def enable_forwarding() -> None:
    """Switch on `net.ipv4.ip_forward`, for the whole machine; nobody switches it off again, as others may need it."""
    if _FORWARD.read_text().strip() != "1":
        _FORWARD.write_text("1")


def admit(engine: Engine) -> None:
    """See to it that no other firewall drops what Pods send and get.

    An accept in our own table cannot overrule a drop in another. Docker sets iptables' FORWARD policy to DROP: there,
    two rules with our name are put first. For other firewalls, warn and say what to do.
    """
    dropping = {place for place, policy in _forward_chains().items() if policy == "drop"}
    if _IPTABLES_CHAIN in dropping or _legacy_drops():
        _change_iptables(engine, remove=False)
    for table, chain in dropping - {_IPTABLES_CHAIN}:
        log.warning(
            "the nftables chain %s in the table %s drops forwarded packets by default: Pods will not reach each other, "
            'nor the Internet, until it accepts packets with iifname "%s*" and oifname "%s*"',
            chain,
            table,
            link_prefix(engine),
            link_prefix(engine),
        )


def withdraw(engine: Engine) -> None:
    """Remove the rules that `admit` put into iptables, also when the policy has changed since."""
    if _IPTABLES_CHAIN in _forward_chains() or _legacy_is_in_use():
        _change_iptables(engine, remove=True)


def _forward_chains() -> dict[tuple[str, str], str]:
    """Every chain that sees forwarded packets, by table and name, with its policy."""
    nft = Nft()
    try:
        chains = nft.chains()
    finally:
        nft.close()
    return {
        (chain["table"], chain["name"]): chain.get("policy", "")
        for chain in chains
        if chain.get("hook") == "forward" and chain["family"] in ("ip", "inet")
    }


def _legacy_is_in_use() -> bool:
    """Whether iptables' legacy variant, which nftables does not see, has filter rules."""
    return _LEGACY_TABLES.exists() and "filter" in _LEGACY_TABLES.read_text().split()


def _legacy_drops() -> bool:
    if not _legacy_is_in_use():
        return False
    listed = _iptables("-S", "FORWARD")
    return listed is not None and "-P FORWARD DROP" in listed.stdout


def _change_iptables(engine: Engine, *, remove: bool) -> None:
    for direction in ("-i", "-o"):
        rule = ("FORWARD", direction, f"{link_prefix(engine)}+", "-j", "ACCEPT")
        comment = ("-m", "comment", "--comment", engine.prefix)
        found = _iptables("-C", *rule, *comment)
        present = found is not None and found.returncode == 0
        if present is remove:
            changed = _iptables("-D" if remove else "-I", *rule, *comment)
            if changed is None or changed.returncode != 0:
                log.warning(
                    "iptables drops forwarded packets by default, and could not be told to accept those of Pods (%s): "
                    "run `iptables %s %s`",
                    "iptables is not installed" if changed is None else changed.stderr.strip(),
                    "-D" if remove else "-I",
                    " ".join(rule),
                )


def _iptables(*arguments: str) -> subprocess.CompletedProcess[str] | None:
    program = shutil.which("iptables")
    if program is None:
        return None
    return subprocess.run(
        (program, "-w", "5", *arguments), capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS
    )
