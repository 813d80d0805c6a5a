"""What can be done to the balance gate's server from outside: flushed, put back to an older state.

Owns a few lines of Redis' protocol. Start at `Balances`.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

ANSWER_SECONDS = 10
APPEND_ONLY = "appendonlydir"


class Balances:
    """One connection to the server."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Balances":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def run(self, *words: bytes):
        self.send(*words)
        return self.answer()

    def send(self, *words: bytes) -> None:
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))

    def answer(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise AssertionError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return rest

    def flush(self) -> None:
        self.run(b"FLUSHALL")

    def keep(self) -> dict[bytes, tuple[bytes, bytes]]:
        """All keys at one moment: what each holds and how long it lives."""
        self.run(b"MULTI")
        self.run(b"KEYS", b"*")
        (names,) = self.run(b"EXEC")
        self.run(b"MULTI")
        for name in names:
            self.run(b"DUMP", name)
            self.run(b"PTTL", name)
        answers = self.run(b"EXEC") if names else []
        pairs = zip(names, answers[::2], answers[1::2])
        return {name: (value, left if int(left) > 0 else b"0") for name, value, left in pairs if value is not None}

    def put_back(self, kept: dict[bytes, tuple[bytes, bytes]]) -> None:
        """The older state in one step, on a server that was never restarted."""
        self.run(b"MULTI")
        self.run(b"FLUSHALL")
        for name, (value, left) in kept.items():
            self.run(b"RESTORE", name, left, value)
        self.run(b"EXEC")


def copy_files(folder: Path, into: Path) -> None:
    """The server's append-only file as it is now."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(folder / APPEND_ONLY, into)


def put_files_back(folder: Path, copied: Path) -> None:
    shutil.rmtree(folder / APPEND_ONLY)
    copied.rename(folder / APPEND_ONLY)
