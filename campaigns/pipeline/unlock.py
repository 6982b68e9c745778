"""Unlock: a workbook that is protected by a password is kept without it from then on (ADR 13).

The password is given to a child process once and remembered by nobody.
"""

from __future__ import annotations

import hashlib

from django.db import transaction

from campaigns.models import Workbook, WorkbookFile
from campaigns.models.signals import announce
from campaigns.models.workbook import ReadingState
from campaigns.workbooks.file_child import unlock as unlocked
from campaigns.workbooks.problems import RejectKind, WorkbookRejected

LOCKED = (RejectKind.PASSWORD, RejectKind.WRONG_PASSWORD)


class NotUnlocked(Exception):
    """Nothing was changed. `is_wrong`: the password; else `rejected` says what."""

    def __init__(self, rejected: WorkbookRejected) -> None:
        super().__init__(rejected.kind)
        self.is_wrong = rejected.kind is RejectKind.WRONG_PASSWORD
        self.rejected = rejected


def is_locked(workbook: Workbook) -> bool:
    """Whether its reading ended with the question for a password."""
    return workbook.state == ReadingState.REJECTED and workbook.reject_kind in LOCKED


def unlock(workbook: Workbook, password: str) -> bool:
    """Stores the file without its password and asks for its reading; False if it is not locked (any
    more). Raises NotUnlocked."""
    if not is_locked(workbook):
        return False
    file = WorkbookFile.objects.get(workbook=workbook)
    key = workbook.data_key
    try:
        plain = unlocked(key.open(file.sealed), password)
    except WorkbookRejected as rejected:
        raise NotUnlocked(rejected) from None
    sealed = key.seal(plain)
    with transaction.atomic():
        mine = Workbook.objects.filter(
            pk=workbook.pk, state=ReadingState.REJECTED, reject_kind__in=LOCKED
        ).update(
            state=ReadingState.UPLOADED,
            size=len(plain),
            sha256=hashlib.sha256(plain).hexdigest(),
            readers_lost=0,
            progress_done=0,
            progress_total=0,
            reject_kind="",
            reject_detail="",
            reject_text="",
        )
        if mine:
            WorkbookFile.objects.filter(pk=file.pk).update(sealed=sealed)
            announce("read_workbook", workbook.pk)
    return bool(mine)
