"""Run in the service's place: tries what a service that was taken over would, and prints what came of it."""

import ctypes
import errno
import json
import mmap
import os
import socket
from collections.abc import Callable
from pathlib import Path

MODEL = Path("/srv/models/tiny")
STATE = Path("/var/lib/dxwatchd")
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Call into the C library; raises OSError where that fails."""
    if getattr(LIBC, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


TRIALS: dict[str, Callable[[], object]] = {
    "read a model": lambda: (MODEL / "config.json").read_bytes(),
    "write the state": lambda: (STATE / "probe").write_text("x"),
    "write into the models root": lambda: (MODEL.parent / "new").write_text("x"),
    "change a model": lambda: os.open(MODEL / "config.json", os.O_WRONLY),
    "delete from the models root": lambda: (MODEL / "config.json").unlink(),
    "read a home directory": lambda: Path("/home/alice/secret").read_bytes(),
    "list root's home": lambda: os.listdir("/root"),
    "change its own program": lambda: os.open("/opt/dxwatchd/bin/dxwatchd", os.O_WRONLY),
    "change its own settings": lambda: os.open("/etc/dxwatchd/dxwatchd.toml", os.O_WRONLY),
    "open an internet socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "open an IPv6 socket": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "become root": lambda: os.setuid(0),
    "make a namespace": lambda: call("unshare", 0x10000000),
    "mount something": lambda: call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None),
    "map memory to write and run": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
    "make a set-user-ID file": lambda: (STATE / "probe").chmod(0o4755),
    "set the clock": lambda: call("settimeofday", ctypes.create_string_buffer(16), None),
    "see the first process": lambda: Path("/proc/1/environ").read_bytes(),
    "see a disk": lambda: os.open("/dev/vda", os.O_RDONLY),
    "read the kernel's log": lambda: Path("/dev/kmsg").read_bytes(),
}


def outcome(trial: Callable[[], object]) -> str:
    """Try; "done" or the name of the error."""
    try:
        trial()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


print(json.dumps({"tried": {what: outcome(trial) for what, trial in TRIALS.items()}}), flush=True)
