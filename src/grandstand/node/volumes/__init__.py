"""The volumes of a Pod: what they are made of (`plan`), and their making (`pod_volumes`)."""

from grandstand.node.mounts import mounts_below

from .host_paths import BadHostPath
from .plan import KINDS, EmptyDir, File, Generated, HostPath, Source, Unsupported, referenced, source_of
from .pod_volumes import PodVolumes, remove_directory
from .sub_paths import BadSubPath

__all__ = [
    "KINDS",
    "BadHostPath",
    "BadSubPath",
    "EmptyDir",
    "File",
    "Generated",
    "HostPath",
    "PodVolumes",
    "Source",
    "Unsupported",
    "mounts_below",
    "referenced",
    "remove_directory",
    "source_of",
]
