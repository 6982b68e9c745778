"""Enclose: a zip of people's own files is read, sealed file by file, and matched with a payroll's rows.

Nothing is attached by guessing: a file goes to the one row whose value its name is or begins with. A row
that has none does not go out, and says so; what belongs to no row, or to several, is listed.
"""

from __future__ import annotations

import mimetypes
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from campaigns.documents.archive import ArchiveFault, ArchiveLimits, files_in, match_key, match_keys
from campaigns.documents.protect import can_protect, has_password, is_pdf, protected
from campaigns.documents.slip import DocumentFault
from campaigns.documents.trial import Trial
from campaigns.mailer.attachment import Attachment, file_name
from campaigns.models import Campaign, Enclosure, EnclosureArchive, Workbook, WorkbookRow
from campaigns.models.campaign import CampaignState
from campaigns.models.content import ContentDestroyed
from campaigns.models.enclosure import ArchiveState
from campaigns.models.signals import announce
from campaigns.models.workbook import ReadingState
from campaigns.pipeline.attach import LARGEST
from campaigns.pipeline.sheet_rows import SheetRows, Unsendable
from campaigns.workbooks.child import environment

LEASE = timedelta(minutes=10)
LISTED = 50
CHUNK = 50


def upload(
    campaign: Campaign, user: User, *, name: str, data: bytes, column: str, protect: bool
) -> EnclosureArchive | None:
    """Keeps the zip, sealed, in the place of an earlier one, and asks for its reading. None for what is no
    draft (any more): a large upload takes minutes, in which somebody else may have launched it."""
    with transaction.atomic():
        drafts = Campaign.objects.filter(state=CampaignState.DRAFT, workbook__isnull=False)
        locked = drafts.select_for_update(of=("self",)).filter(pk=campaign.pk).first()
        if locked is None:
            return None
        assert locked.workbook is not None
        EnclosureArchive.objects.filter(campaign=campaign).delete()
        archive = EnclosureArchive.objects.create(
            team_id=campaign.team_id,
            campaign=campaign,
            name=name[:255],
            size=len(data),
            column=column,
            protect=protect,
            sealed=locked.workbook.data_key.seal(data),
            uploaded_by=user,
        )
        announce("read_enclosures", archive.pk)
    return archive


def remove(campaign: Campaign) -> bool:
    """Takes the files out of a draft."""
    with transaction.atomic():
        drafts = Campaign.objects.select_for_update().filter(state=CampaignState.DRAFT)
        if not drafts.filter(pk=campaign.pk).exists():
            return False
        return bool(EnclosureArchive.objects.filter(campaign=campaign).delete()[0])


def workbook_changed(campaign_id: int) -> None:
    """A draft took another workbook: its files are sealed with the other one's key, and asked for anew."""
    archives = EnclosureArchive.objects.filter(campaign=campaign_id)
    Enclosure.objects.filter(archive__in=archives.values("pk")).delete()
    archives.update(
        state=ArchiveState.REJECTED,
        reject_kind="other_workbook",
        sealed=None,
        sealed_findings=None,
        lease_until=None,
    )


def unread() -> list[int]:
    """Archives that wait for a worker, also those whose worker died, and those that are not matched
    with the reading that was confirmed meanwhile."""
    late = Q(
        state=ArchiveState.READ,
        matched_reading=None,
        campaign__state=CampaignState.DRAFT,
        campaign__workbook__state=ReadingState.CONFIRMED,
    )
    return list(EnclosureArchive.objects.filter(_waiting() | late).values_list("pk", flat=True))


def _waiting() -> Q:
    lapsed = Q(state=ArchiveState.READING, lease_until__lt=timezone.now())
    return Q(state=ArchiveState.UPLOADED) | lapsed


def read(archive_id: int) -> None:
    """Reads one archive, if it waits, and matches its files. Raises nothing for a bad file."""
    waits = EnclosureArchive.objects.filter(_waiting(), pk=archive_id)
    taken = waits.update(state=ArchiveState.READING, lease_until=timezone.now() + LEASE)
    archive = (
        EnclosureArchive.objects.select_related("campaign__workbook__data_key")
        .filter(pk=archive_id)
        .first()
    )
    if archive is None:
        return
    try:
        if taken:
            _unpack(archive)
        match(archive)
    except ArchiveFault as fault:
        _reject(archive, fault.kind, fault.name)
    except ContentDestroyed:
        _reject(archive, "destroyed")


def _reject(archive: EnclosureArchive, kind: str, name: str = "") -> None:
    """Nothing of it is kept but the name of the file that is the cause."""
    sealed = _workbook(archive).data_key.seal_json({"cause": name}) if name else None
    Enclosure.objects.filter(archive=archive).delete()
    EnclosureArchive.objects.filter(pk=archive.pk).update(
        state=ArchiveState.REJECTED,
        reject_kind=kind,
        sealed=None,
        sealed_findings=sealed,
        lease_until=None,
    )


def _unpack(archive: EnclosureArchive) -> None:
    key = _workbook(archive).data_key
    Enclosure.objects.filter(archive=archive).delete()
    limits = ArchiveLimits(one=LARGEST)
    rows: list[Enclosure] = []
    count = 0
    for name, octets in _tried(files_in(key.open(archive.sealed or b""), limits)):
        sealed_name = key.seal(name.encode())
        rows.append(
            Enclosure(
                team_id=archive.team_id,
                archive=archive,
                size=len(octets),
                sealed_name=sealed_name,
                sealed=key.seal(octets),
            )
        )
        count += 1
        if len(rows) >= CHUNK:
            _store(archive, rows)
            rows = []
    _store(archive, rows)
    EnclosureArchive.objects.filter(pk=archive.pk).update(
        state=ArchiveState.READ, file_count=count, sealed=None, lease_until=None
    )


def _tried(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    with Trial(environment()) as trial:
        for name, octets in files:
            if is_pdf(octets[:1024]) and not trial.takes(octets):
                raise ArchiveFault("heavy", name)
            yield name, octets


def _store(archive: EnclosureArchive, rows: list[Enclosure]) -> None:
    Enclosure.objects.bulk_create(rows)
    EnclosureArchive.objects.filter(pk=archive.pk).update(lease_until=timezone.now() + LEASE)


def match(archive: EnclosureArchive) -> None:
    """Gives each file its row, once the payroll is confirmed (its rows change no more)."""
    workbook = _workbook(archive)
    if workbook.state != ReadingState.CONFIRMED:
        return
    owners = _owners(archive, workbook)
    found: dict[int, int | None] = {}
    unmatched: list[str] = []
    ambiguous: list[str] = []
    for pk, name in names_of(archive):
        rows = next((owners[key] for key in match_keys(name) if key in owners), [])
        found[pk] = rows[0] if len(rows) == 1 else None
        if len(rows) != 1:
            (ambiguous if rows else unmatched).append(name)
    files = [Enclosure(pk=pk, row_id=row) for pk, row in found.items()]
    findings = {"unmatched": unmatched[:LISTED], "ambiguous": ambiguous[:LISTED]}
    with transaction.atomic():
        Enclosure.objects.bulk_update(files, ["row"], batch_size=500)
        EnclosureArchive.objects.filter(pk=archive.pk).update(
            matched_reading=workbook.reading,
            unmatched_count=len(unmatched),
            ambiguous_count=len(ambiguous),
            sealed_findings=workbook.data_key.seal_json(findings),
        )


def _owners(archive: EnclosureArchive, workbook: Workbook) -> dict[str, list[int]]:
    """The rows by what stands in the chosen column."""
    names = [column["name"] for column in workbook.columns]
    owners: dict[str, list[int]] = defaultdict(list)
    if archive.column not in names:
        return owners
    index = names.index(archive.column)
    for row in workbook.rows.iterator(chunk_size=2000):
        values = workbook.data_key.open_json(row.sealed)["values"]
        key = match_key((values[index] if index < len(values) else None) or "")
        if key:
            owners[key].append(row.pk)
    return owners


def names_of(archive: EnclosureArchive) -> Iterator[tuple[int, str]]:
    """(id, name) of each file, in the archive's order."""
    key = _workbook(archive).data_key
    rows = archive.files.order_by("pk").values_list("pk", "sealed_name")
    for pk, sealed in rows.iterator(chunk_size=2000):
        yield pk, key.open(sealed).decode()


def _workbook(archive: EnclosureArchive) -> Workbook:
    workbook = archive.campaign.workbook
    if workbook is None:
        raise ContentDestroyed
    return workbook


class Encloser:
    """Hands out the files of one campaign's archive, as attachments of one row's message."""

    def __init__(self, archive: EnclosureArchive, rows: SheetRows) -> None:
        self.archive, self.rows = archive, rows

    def files(self, row: WorkbookRow, password: str | None) -> list[Attachment]:
        """The row's own files; raises Unsendable for none, and ContentDestroyed."""
        key = self.rows.workbook.data_key
        found = list(Enclosure.objects.filter(archive=self.archive, row=row).order_by("pk"))
        if not found:
            raise Unsendable("no_enclosure", f"{self.rows.workbook.sheet}!{row.number}")
        made = []
        for file in found:
            name = key.open(file.sealed_name).decode()
            made.append(self._attachment(name, key.open(file.sealed), password, row))
        return made

    def _attachment(
        self, name: str, octets: bytes, password: str | None, row: WorkbookRow
    ) -> Attachment:
        if password is not None and can_protect(name, octets[:1024]):
            try:
                octets = protected(name, octets, password)
            except DocumentFault as fault:
                place = f"{self.rows.workbook.sheet}!{row.number}"
                raise Unsendable(f"document_{fault.kind}", place) from fault
        stem, _dot, extension = name.rpartition(".")
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Attachment(file_name(stem or name, extension or "bin"), media_type, octets)


def encloser_of(campaign: Campaign, rows: SheetRows) -> Encloser | None:
    """None for a campaign without files of its own; raises Unsendable where they are not ready."""
    archive = EnclosureArchive.objects.filter(campaign=campaign).defer("sealed").first()
    if archive is None:
        return None
    if archive.state != ArchiveState.READ or archive.matched_reading != rows.workbook.reading:
        raise Unsendable("enclosures_unread", "")
    return Encloser(archive, rows)


def open_beginning(archive: EnclosureArchive) -> Iterator[tuple[str, bool, int]]:
    """(name, whether it will be protected, its row's id or 0) of each file, for a pre-flight."""
    key = _workbook(archive).data_key
    rows = archive.files.order_by("pk").values_list("sealed_name", "sealed", "row")
    for sealed_name, sealed, row in rows.iterator(chunk_size=20):
        name, octets = key.open(sealed_name).decode(), key.open(sealed)
        safe = has_password(octets) or (archive.protect and can_protect(name, octets[:1024]))
        yield name, safe, row or 0
