"""Carries TCP connections from one address to another: what a cable and its router do for a worker."""

from __future__ import annotations

import contextlib
import socket
import threading

Address = tuple[str, int]


def carry(here: Address, there: Address) -> socket.socket:
    """Every connection to `here` goes on to `there`, until the returned socket is closed."""
    listener = socket.create_server(here, backlog=64)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(there, timeout=5)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Until either end is over; then the other direction's pump finds its own end closed too."""
    with source, contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
