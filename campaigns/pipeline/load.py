"""Load: an uploaded workbook is read in a child process, and its rows wait to be confirmed.

A reading is written in short transactions under a number of its own and becomes visible by one last
update; until somebody confirms it, nothing of it reaches a campaign or the contacts.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Team, User
from campaigns.models import Campaign, ContentGrant, DataKey, Workbook, WorkbookFile
from campaigns.models.content import ContentDestroyed
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline.match_addresses import is_ambiguous
from campaigns.pipeline.store_reading import (
    LEASE,
    Storing,
    Superseded,
    delete_rows,
    reject,
    rejection,
)
from campaigns.workbooks.child import blocks_from_child, rows_from_child
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.reader import Choices, Reading
from campaigns.workbooks.results import Limits

# A file that has cost so many readers their life is not tried again.
MOST_READERS_LOST = 2
# A clear copy that a killed reader left behind is removed by the next one.
STALE_SECONDS = 1800
_PREFIX = "hongyan-workbook-"
_FREE = (ReadingState.CHOOSING, ReadingState.READ, ReadingState.REJECTED)
# How many corrections can be taken back one after the other.
_UNDONE = 20


class UploadRefused(Exception):
    """`kind`: empty or size. Nothing was stored."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def upload(
    *,
    team: Team,
    user: User,
    purpose: Purpose,
    name: str,
    data: bytes,
    sheet: str | None = None,
    repairs: Campaign | None = None,
) -> Workbook:
    """Stores the file, sealed with a key of its own, and asks for its reading (of one sheet).

    With `repairs` only what failed in that campaign will be taken from it (pipeline/repair.py). Who uploads a payroll may see it; raises UploadRefused for an empty file and one beyond
    MAX_WORKBOOK_BYTES.
    """
    if not data:
        raise UploadRefused("empty")
    if len(data) > settings.MAX_WORKBOOK_BYTES:
        raise UploadRefused("size")
    with transaction.atomic():
        key = DataKey.objects.create(team=team)
        workbook = Workbook.objects.create(
            team=team,
            purpose=purpose,
            name=_file_name(name),
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            data_key=key,
            uploaded_by=user,
            choices={"sheet": sheet} if sheet else {},
            repairs=repairs,
        )
        WorkbookFile.objects.create(team=team, workbook=workbook, sealed=key.seal(data))
        ContentGrant.objects.create(team=team, user=user, workbook=workbook, granted_by=user)
        announce("read_workbook", workbook.pk)
    return workbook


def _file_name(given: str) -> str:
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if character.isprintable()).strip()
    return shown[:255] or "workbook"


def unread() -> list[int]:
    """Workbooks that wait for a reader, also those whose reader died."""
    return list(_waiting().values_list("pk", flat=True))


def _waiting() -> Any:
    lapsed = Q(state=ReadingState.READING, lease_until__lt=timezone.now())
    return Workbook.objects.filter(Q(state=ReadingState.UPLOADED) | lapsed)


def choose(workbook: Workbook, *, reading: int, **choices: Any) -> bool:
    """Sheet, header rows, columns or rows as a person wants them: the workbook is read anew.

    False once it was confirmed, while it is being read, or when the person looked at an older
    `reading`. Another sheet or header forgets what was chosen for the former one.
    """
    kept = {name: value for name, value in workbook.choices.items() if name != "earlier"}
    earlier = [*workbook.choices.get("earlier", []), kept][-_UNDONE:]
    if "sheet" in choices and choices["sheet"] != workbook.sheet:
        kept = {}
    elif "header_rows" in choices and choices["header_rows"] != workbook.header_range:
        kept = {name: kept[name] for name in ("sheet",) if name in kept}
    return _read_again(workbook, reading, {**kept, **choices, "earlier": earlier})


def undo(workbook: Workbook, *, reading: int) -> bool:
    """The choices before the last ones; False like `choose`, or when there were none."""
    *earlier, before = workbook.choices.get("earlier") or [None]
    if before is None:
        return False
    return _read_again(workbook, reading, {**before, "earlier": earlier})


def reset(workbook: Workbook, *, reading: int) -> bool:
    """Everything but the sheet is found by the reader again; can be undone like any choice."""
    kept = {name: value for name, value in workbook.choices.items() if name != "earlier"}
    earlier = [*workbook.choices.get("earlier", []), kept][-_UNDONE:]
    return _read_again(workbook, reading, {"sheet": workbook.sheet, "earlier": earlier})


def _read_again(workbook: Workbook, reading: int, choices: dict[str, Any]) -> bool:
    with transaction.atomic():
        changed = Workbook.objects.filter(pk=workbook.pk, state__in=_FREE, reading=reading).update(
            choices=choices,
            state=ReadingState.UPLOADED,
            readers_lost=0,
            progress_done=0,
            progress_total=0,
            reject_kind="",
            reject_detail="",
            reject_text="",
        )
        if changed:
            announce("read_workbook", workbook.pk)
    return bool(changed)


def move_rows(
    workbook: Workbook, *, reading: int, take: Sequence[int] = (), leave: Sequence[int] = ()
) -> bool:
    """Rows that the reader left out are taken all the same, or the other way round."""
    taken = (set(workbook.choices.get("unskipped", ())) | set(take)) - set(leave)
    left = (set(workbook.choices.get("skipped", ())) | set(leave)) - set(take)
    # The sheet stays the one that these numbers belong to.
    return choose(
        workbook,
        reading=reading,
        sheet=workbook.sheet,
        unskipped=sorted(taken),
        skipped=sorted(left),
    )


def confirm(workbook: Workbook, user: User, *, reading: int) -> bool:
    """read → confirmed, for exactly the reading that the person has seen.

    Not while a staff number leads to several people.
    """
    if is_ambiguous(workbook.findings):
        return False
    return bool(
        Workbook.objects.filter(
            pk=workbook.pk,
            state=ReadingState.READ,
            reading=reading,
            row_count__gt=0,
        ).update(state=ReadingState.CONFIRMED, confirmed_at=timezone.now(), confirmed_by=user)
    )


def read(workbook_id: int) -> None:
    """Reads one waiting workbook; another worker's reading is left alone."""
    workbook = _claim(workbook_id)
    if workbook is None:
        return
    storing = Storing(workbook)
    try:
        try:
            with _on_disk(workbook) as path:
                reading = _read_file(workbook, path, storing)
        except WorkbookRejected as rejected:
            reject(workbook, rejected)
            delete_rows(workbook, reading=workbook.readings_begun)
        else:
            storing.finish(reading)
    except (Superseded, ContentDestroyed, WorkbookFile.DoesNotExist):
        delete_rows(workbook, reading=workbook.readings_begun)


def _claim(workbook_id: int) -> Workbook | None:
    """The workbook, with `readings_begun` as this reader's own number; None if it is not to be read."""
    lost = Workbook.objects.filter(
        pk=workbook_id, state=ReadingState.READING, lease_until__lt=timezone.now()
    )
    lost.update(state=ReadingState.UPLOADED, readers_lost=F("readers_lost") + 1)
    waiting = Workbook.objects.filter(pk=workbook_id, state=ReadingState.UPLOADED)
    rejected = WorkbookRejected(RejectKind.TIMEOUT)
    if waiting.filter(readers_lost__gt=MOST_READERS_LOST).update(**rejection(rejected)):
        return None
    claimed = waiting.update(
        state=ReadingState.READING,
        lease_until=timezone.now() + LEASE,
        readings_begun=F("readings_begun") + 1,
    )
    if not claimed:
        return None
    return Workbook.objects.select_related("data_key", "file").filter(pk=workbook_id).first()


def _read_file(workbook: Workbook, path: Path, storing: Storing) -> Reading:
    options: dict[str, Any] = {
        "sheet": workbook.choices.get("sheet"),
        "choices": _choices(workbook.choices),
        "limits": Limits(),
        "progress": storing.tell,
    }
    if workbook.purpose == Purpose.LIST:
        return blocks_from_child(path, storing.take_block, **options)
    return rows_from_child(path, storing.take, **options)


def clear_place() -> Path:
    """Where a clear copy lies while it is read: in memory where the system has such a place."""
    shared = "/dev/shm"  # noqa: S108
    return Path(shared if os.access(shared, os.W_OK) else tempfile.gettempdir())


@contextmanager
def _on_disk(workbook: Workbook) -> Iterator[Path]:
    """The clear file, for its owner's eyes alone."""
    place = clear_place()
    _remove_stale(place)
    with tempfile.NamedTemporaryFile(prefix=_PREFIX, dir=place) as file:
        file.write(workbook.data_key.open(workbook.file.sealed))
        file.flush()
        yield Path(file.name)


def _remove_stale(place: Path) -> None:
    for left in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or just removed
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                left.unlink()


def _choices(stored: dict[str, Any]) -> Choices:
    rows = stored.get("header_rows")
    return Choices(
        header_rows=(rows[0], rows[1]) if rows else None,
        address_column=stored.get("address_column"),
        name_column=stored.get("name_column"),
        skipped=frozenset(stored.get("skipped", ())),
        unskipped=frozenset(stored.get("unskipped", ())),
        number_column=(stored.get("match") or {}).get("column"),
    )
