"""What kind of disk a path is on: one of this machine's, or one that is elsewhere and only looks like it.

SQLite's write-ahead log needs memory that all processes share and locks that hold. A mounted bucket, a
network disk, a folder of a virtual machine's host have neither, and damage a database in time. `database`
asks here.
"""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_LOCAL = (
    "ext2 ext3 ext4 xfs btrfs zfs f2fs jfs reiserfs nilfs2 bcachefs ubifs "
    "overlay aufs tmpfs ramfs rootfs vfat exfat ntfs3"
)
LOCAL = frozenset(_LOCAL.split())
"""Types of file systems whose disk is here. What is not among them is not trusted: nfs, cifs, 9p, virtiofs,
all of fuse, and whatever comes next."""


def foreign(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that `path` is on, when that is none of this machine's own; else "".

    "" too where nobody says: on macOS and Windows, and in what hides its mounts.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    found, length = "", -1
    for line in lines:
        before, _, behind = line.partition(" - ")
        fields, kind = before.split(), behind.split()[:1]
        if len(fields) < 5 or not kind:
            continue
        mounted = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        # The longest way to it; of two mounted there, the later one.
        if (path == mounted or mounted in path.parents) and len(mounted.parts) >= length:
            found, length = kind[0], len(mounted.parts)
    return "" if found in LOCAL else found
