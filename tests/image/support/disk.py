"""A disk with a write cache, for tests of power failures: `python disk.py IMAGE LOG FOLDER`, as root.

It shows one file, FOLDER/disk, by FUSE, to be used through a loop device: the image, whose every write and flush is
also put into the log, in their order. A file system's flush (an fsync that reached the disk) comes here as FSYNC. Each
line on standard input is answered with the log's length: what was promised before that the power may not take.

The kernel's own protocol is spoken, <linux/fuse.h>, so that nothing has to be installed.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import sys
from collections.abc import Callable

RECORD = struct.Struct("<cQI")  # of the log: WRITE or FLUSH, where, how many bytes follow
WRITE, FLUSH = b"W", b"F"

ROOT, FILE = 1, 2  # inode numbers
NAME = b"disk"
MOST = 1 << 20  # bytes a request may carry
IN_HEADER = struct.Struct("<IIQQIIII")
OUT_HEADER = struct.Struct("<IiQ")
ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
BIG_WRITES, MAX_PAGES, DIRECT_IO = 1 << 5, 1 << 22, 1
LOOKUP, GETATTR, SETATTR, OPEN, READ, WRITE_REQUEST, STATFS = 1, 3, 4, 14, 15, 16, 17
RELEASE, FSYNC, FLUSH_REQUEST, INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS = 18, 20, 25, 26, 27, 28, 29, 34
UNANSWERED = (2, 36, 42)  # FORGET, INTERRUPT, BATCH_FORGET

Handler = Callable[
    [int, bytes], bytes | int
]  # of an inode number and the request's body; a number is an errno


def unknown(_node: int, _body: bytes) -> int:
    return errno.ENOSYS


class Disk:
    """The file system's only file, and what is answered about it."""

    def __init__(self, image: str, log: str) -> None:
        self._image = os.open(image, os.O_RDWR)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.logged = 0
        self._answers: dict[int, Handler] = {
            INIT: self._init,
            LOOKUP: self._lookup,
            GETATTR: lambda node, _: struct.pack("<QII", 3600, 0, 0) + self._attributes(node),
            SETATTR: lambda node, _: struct.pack("<QII", 3600, 0, 0) + self._attributes(node),
            OPEN: lambda *_: struct.pack("<QII", 1, DIRECT_IO, 0),
            OPENDIR: lambda *_: struct.pack("<QII", 1, 0, 0),
            READDIR: lambda *_: b"",
            READ: self._read,
            WRITE_REQUEST: self._write,
            FSYNC: self._fsync,
            STATFS: lambda *_: struct.pack("<5Q4I6I", 0, 0, 0, 1, 0, 512, 255, 512, 0, *[0] * 6),
            **{code: lambda *_: b"" for code in (RELEASE, RELEASEDIR, FLUSH_REQUEST, ACCESS)},
        }

    def answer(self, request: bytes) -> bytes:
        """The reply to a request; nothing where none is expected."""
        _, code, unique, node, *_ = IN_HEADER.unpack_from(request)
        if code in UNANSWERED:
            return b""
        handler = self._answers.get(code, unknown)
        found = handler(node, request[IN_HEADER.size :])
        error, body = (found, b"") if isinstance(found, int) else (0, found)
        return OUT_HEADER.pack(OUT_HEADER.size + len(body), -error, unique) + body

    def _init(self, _node: int, _body: bytes) -> bytes:
        flags = BIG_WRITES | MAX_PAGES
        return struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, flags, 16, 12, MOST, 1, MOST // 4096, 0, 0, *[0] * 7)

    def _lookup(self, _node: int, body: bytes) -> bytes | int:
        if body.rstrip(b"\0") != NAME:
            return errno.ENOENT
        return struct.pack("<QQQQII", FILE, 0, 3600, 3600, 0, 0) + self._attributes(FILE)

    def _attributes(self, node: int) -> bytes:
        if node == ROOT:
            return ATTRIBUTES.pack(ROOT, 0, 0, 0, 0, 0, 0, 0, 0, stat.S_IFDIR | 0o700, 2, 0, 0, 0, 512, 0)
        size = os.fstat(self._image).st_size
        return ATTRIBUTES.pack(
            FILE, size, size // 512, 0, 0, 0, 0, 0, 0, stat.S_IFREG | 0o600, 1, 0, 0, 0, 4096, 0
        )

    def _read(self, _node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(self._image, size, offset)

    def _write(self, _node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        data = body[40 : 40 + size]
        os.pwrite(self._image, data, offset)
        self._note(WRITE, offset, data)
        return struct.pack("<II", size, 0)

    def _fsync(self, _node: int, _body: bytes) -> bytes:
        self._note(FLUSH, 0, b"")
        return b""

    def _note(self, kind: bytes, offset: int, data: bytes) -> None:
        record = RECORD.pack(kind, offset, len(data)) + data
        os.write(self._log, record)
        self.logged += len(record)


def mount(folder: str, device: int) -> None:
    """Mount it there. Raises OSError where that can't be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,max_read={MOST}"
    if libc.mount(b"disk", folder.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)


def serve(disk: Disk, device: int) -> None:
    """Answer the kernel and standard input until it is unmounted or the input ends."""
    print("mounted", flush=True)
    while True:
        ready, _, _ = select.select([device, 0], [], [])
        if device in ready:
            try:
                request = os.read(device, MOST + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                raise
            if reply := disk.answer(request):
                os.write(device, reply)
        elif not os.read(0, 1):
            return
        else:
            print(disk.logged, flush=True)


if __name__ == "__main__":
    fuse = os.open("/dev/fuse", os.O_RDWR)
    mount(sys.argv[3], fuse)
    serve(Disk(sys.argv[1], sys.argv[2]), fuse)
