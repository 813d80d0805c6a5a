"""The ways between the NATS servers, each through a proxy of its own, so that two servers can be kept from each other.

A way that is *closed* breaks its connections and refuses new ones, as a router that says no; one that is *silent* carries
nothing and tells nobody, as a cable that was pulled. Clients reach every server all the while: that is the hard case, a leader
that still hears its clients and none of its followers. Start at `Routes`.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading

CONNECT_SECONDS = 5
CHUNK_BYTES = 65_536


class Way:
    """From one server to another's route port."""

    def __init__(self, target: int):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.is_closed = False
        self.speaks = threading.Event()
        self.speaks.set()
        self.has_ended = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while not self.has_ended:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near: socket.socket) -> None:
        with contextlib.closing(near):
            if self.is_closed:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=CONNECT_SECONDS)
            except OSError:
                return
            far.settimeout(None)
            with contextlib.closing(far), self.remembered(near, far):
                back = threading.Thread(target=self.pump, args=(far, near), daemon=True)
                back.start()
                self.pump(near, far)
                back.join()

    @contextlib.contextmanager
    def remembered(self, *both: socket.socket):
        with self.lock:
            self.open.update(both)
            # Closed since it was looked at.
            is_late = self.is_closed
        if is_late:
            self.break_connections()
        try:
            yield
        finally:
            with self.lock:
                self.open.difference_update(both)

    def pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Blocks without a time limit: a limit belongs to a socket, and two threads use each. Who closes a way wakes both."""
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                # What was sent into the silence arrives when it is over, as TCP has it.
                self.speaks.wait()
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def break_connections(self) -> None:
        with self.lock:
            for one in self.open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.is_closed = True
        self.break_connections()

    def silence(self) -> None:
        self.speaks.clear()

    def heal(self) -> None:
        self.is_closed = False
        self.speaks.set()

    def end(self) -> None:
        self.has_ended = True
        self.close()
        self.speaks.set()
        self.listener.close()


class Routes:
    """Every way between servers, by their names; `ports` are where each really listens for the others."""

    def __init__(self, ports: dict[str, int]):
        self.ports = ports
        self.ways = {(one, other): Way(ports[other]) for one, other in itertools.permutations(ports, 2)}

    def to_all(self) -> list[str]:
        """What a server that joins them is told: no way of it is ever cut."""
        return [f"nats://127.0.0.1:{port}" for port in self.ports.values()]

    def of(self, name: str) -> list[str]:
        """What a server is told of the others."""
        return [f"nats://127.0.0.1:{way.port}" for (one, _), way in self.ways.items() if one == name]

    def between(self, some: set[str], others: set[str]) -> list[Way]:
        """The ways that lead from some servers to others, and back."""
        return [way for (one, other), way in self.ways.items() if (one in some and other in others) or (one in others and other in some)]

    @contextlib.contextmanager
    def parted(self, some: set[str], silently: bool, others: set[str] | None = None):
        """Some servers and others, all the rest unless they are named, do not hear each other."""
        ways = self.between(some, others or {one for one, _ in self.ways} - some)
        for way in ways:
            if silently:
                way.silence()
            else:
                way.close()
        try:
            yield
        finally:
            for way in ways:
                way.heal()

    def end(self) -> None:
        for way in self.ways.values():
            way.end()
