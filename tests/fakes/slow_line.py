"""A TCP forwarder on loopback that delays every octet, like a line with a long round trip.

It works below TLS and keeps throughput: octets that arrive together leave together, later.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time


class SlowLine:
    """Forwards 127.0.0.1:`port` to `target`; half of `round_trip` seconds in each direction."""

    def __init__(self, target: int, round_trip: float, port: int = 0) -> None:
        self._target = target
        self._delay = round_trip / 2
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            for here, there in ((client, server), (server, client)):
                here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                threading.Thread(target=self._take, args=(here, line), daemon=True).start()
                threading.Thread(target=self._give, args=(there, line), daemon=True).start()

    def _take(self, here: socket.socket, line: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        octets = b"?"
        while octets:
            try:
                octets = here.recv(1 << 20)
            except OSError:
                octets = b""
            line.put((time.monotonic() + self._delay, octets))

    @staticmethod
    def _give(there: socket.socket, line: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        while True:
            due, octets = line.get()
            time.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(OSError):
                if not octets:
                    there.shutdown(socket.SHUT_WR)
                    return
                there.sendall(octets)
