"""An upload handler for content that must not lie on a disk in clear.

Django's own writes a file of more than 2.5 MB to the system's temporary folder.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class MemoryHandler(FileUploadHandler):
    """Keeps one file in memory, up to `limit` bytes; `too_big` says that there was more.

    What comes beyond is read from the connection and dropped, so that the browser can still be
    answered in a sentence: it would not read an answer before it has sent everything.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.too_big = False
        self._parts: list[bytes] = []
        self._size = 0
        self._begun = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._begun:
            raise SkipFile
        self._begun = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._size += len(raw_data)
        if self._size > self.limit:
            self.too_big = True
            self._parts.clear()
            raise SkipFile
        self._parts.append(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        if self.too_big:
            return None
        return InMemoryUploadedFile(
            file=BytesIO(b"".join(self._parts)),
            field_name=self.field_name,
            name=self.file_name or "",
            content_type=self.content_type,
            size=self._size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )
