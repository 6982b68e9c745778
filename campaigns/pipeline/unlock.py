"""Unlock: a workbook that is protected by a password is kept without it from then on (ADR 13).

The password is given to a child process once and remembered by nobody.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import SignInFailure, User
from campaigns.models import Workbook, WorkbookFile
from campaigns.models.signals import announce
from campaigns.models.workbook import ReadingState
from campaigns.workbooks.file_child import unlock as unlocked
from campaigns.workbooks.problems import RejectKind, WorkbookRejected

# Wrong passwords of one user, of whichever workbooks.
MOST, WINDOW = 10, timedelta(minutes=15)
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


class TooManyTries(Exception):
    """Nothing was tried: the user was wrong MOST times within WINDOW."""


def unlock(workbook: Workbook, password: str, user: User) -> bool:
    """Stores the file without its password and asks for its reading; False if it is not locked (any
    more). Raises NotUnlocked and TooManyTries."""
    if not is_locked(workbook):
        return False
    attempt = _counted(user)
    file = WorkbookFile.objects.get(workbook=workbook)
    key = workbook.data_key
    try:
        plain = unlocked(key.open(file.sealed), password)
    except WorkbookRejected as rejected:
        raise NotUnlocked(rejected) from None
    SignInFailure.objects.filter(account=attempt.account).delete()
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


def _counted(user: User) -> SignInFailure:
    """This try, counted as wrong before it is judged, so that parallel ones cannot slip by."""
    key = salted_hmac("campaigns.unlock", str(user.pk), algorithm="sha256").hexdigest()
    tries = SignInFailure.objects.filter(account=key, at__gt=timezone.now() - WINDOW)
    if tries.count() >= MOST:
        raise TooManyTries
    attempt = SignInFailure.objects.create(account=key, network="workbook")
    if tries.count() > MOST:
        raise TooManyTries
    return attempt
