"""A trial of other people's PDFs behind walls: 30 kB of one may take gigabytes once its objects are read.

qpdf limits what a stream is unpacked to, not what the objects inside it take (ISO 32000-2 7.5.7). So each is
given a password in a child process first; what kills the child, no worker opens. Over pipes: the length in four
octets and the document, and one octet back.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from campaigns.documents.protect import has_password, protected
from campaigns.documents.slip import DocumentFault

#: Octets of the child's memory, of which 30 MB are its own; and seconds of one document.
MEMORY = 256 * 1024 * 1024
CPU_SECONDS = 10
# Behind it stands a wall, far enough: qpdf takes an object that there is no memory for as null and goes on.
_WALL = 1024 * 1024 * 1024
_TAKEN, _REFUSED = b".", b"!"


class Trial:
    """Used as a context. After a refusal it tries nothing more."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def takes(self, document: bytes) -> bool:
        """Whether opening it and giving it a password stays within the limits, however that ends."""
        child = self._child = self._child or subprocess.Popen(
            [sys.executable, "-m", "campaigns.documents.trial"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(len(document).to_bytes(4, "big") + document)
            child.stdin.flush()
        except BrokenPipeError:
            return False
        return child.stdout.read(1) == _TAKEN


def main() -> None:
    """The child: until its input ends, or a document is too much."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_WALL, _WALL))
    while size := sys.stdin.buffer.read(4):
        document = sys.stdin.buffer.read(int.from_bytes(size, "big"))
        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        sys.stdout.buffer.write(_TAKEN if _is_bearable(document) else _REFUSED)
        sys.stdout.buffer.flush()


def _is_bearable(document: bytes) -> bool:
    with contextlib.suppress(DocumentFault, MemoryError):
        if not has_password(document):
            protected("", document, "trial")
    return _peak() < MEMORY


def _peak() -> int:
    """Octets. Not ru_maxrss: that begins with the memory of the process which started this one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
