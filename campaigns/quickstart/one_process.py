"""Web server, Celery worker threads, beat and the mail sandbox in one process, on one Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from celery.beat import EmbeddedService
from django.conf import settings
from waitress.server import create_server

from config.celery import app
from config.wsgi import application

# More slots than the demo relay has connections, so that a stalled one never blocks the rest.
WORKER_THREADS = 8
WEB_THREADS = 6


class PortTaken(Exception):
    """Something else listens there."""


@contextmanager
def worker_and_beat() -> Iterator[None]:
    """A Celery worker with threads on the broker in memory, and beat; both end with the block."""
    app.set_current()
    worker = app.WorkController(
        pool="threads",
        concurrency=WORKER_THREADS,
        loglevel=logging.WARNING,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    thread = threading.Thread(target=worker.start, name="worker", daemon=True)
    thread.start()
    # The plain scheduler keeps its times in memory: a file would be one more thing to lock.
    beat = EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler")
    beat.start()
    try:
        yield
    finally:
        beat.stop()
        worker.stop()
        thread.join(10)


def _largest_upload() -> int:
    return max(settings.MAX_WORKBOOK_BYTES, settings.MAX_ARCHIVE_BYTES)


@contextmanager
def web(host: str, port: int) -> Iterator[int]:
    """The web server in a thread; yields its real port. Raises PortTaken."""
    try:
        server = create_server(
            application,
            host=host,
            port=port,
            threads=WEB_THREADS,
            # An upload stays in memory: an overflow would lie in clear in the temporary folder.
            inbuf_overflow=_largest_upload() + 2**20,
            max_request_body_size=_largest_upload() + 2**20,
        )
    except OSError as error:
        raise PortTaken(str(port)) from error
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    try:
        yield server.effective_port
    finally:
        server.close()
        server.task_dispatcher.shutdown(timeout=5)
        thread.join(5)


def wait_for_the_end() -> None:
    """Returns at the first Ctrl-C or SIGTERM; an impatient one a second later ends at once.

    A flag and a sleep: a lock that a signal interrupts while it is being taken can break.
    """
    asked: list[float] = []

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked and time.monotonic() - asked[0] > 1:
            os._exit(130)
        asked.append(time.monotonic())

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    while not asked:
        time.sleep(0.2)
