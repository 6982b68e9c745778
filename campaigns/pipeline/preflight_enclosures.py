"""Before a launch: has each row its own file, has each file a row, and can anybody else read it?"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, Sum

from campaigns.models import Campaign, Enclosure, EnclosureArchive
from campaigns.models.content import ContentDestroyed
from campaigns.models.enclosure import ArchiveState
from campaigns.pipeline.attach import LARGEST
from campaigns.pipeline.enclose import open_beginning
from campaigns.pipeline.preflight_finding import BLOCK, LISTED, WARN, Finding, Place


def enclosures(campaign: Campaign) -> Iterator[Finding]:
    """Nothing for a campaign without files of its own."""
    archive = (
        EnclosureArchive.objects.filter(campaign=campaign)
        .select_related("campaign__workbook__data_key")
        .defer("sealed")
        .first()
    )
    workbook = campaign.workbook
    if archive is None or workbook is None:
        return
    if archive.state == ArchiveState.REJECTED:
        yield Finding("enclosures_rejected", BLOCK)
        return
    if archive.state != ArchiveState.READ or archive.matched_reading != workbook.reading:
        yield Finding("enclosures_unread", BLOCK)
        return
    mine = Enclosure.objects.filter(archive=archive, row=OuterRef("pk"))
    without = workbook.rows.filter(~Exists(mine))
    if total := without.count():
        rows = without.values_list("number", "address")[:LISTED]
        places = tuple(Place(number, address=address) for number, address in rows)
        yield Finding("no_enclosure", WARN, where=places, total=total)
        if total == workbook.row_count:
            yield Finding("no_enclosure_any", BLOCK)
    others = archive.unmatched_count + archive.ambiguous_count
    if others:
        yield Finding("enclosures_left", WARN, total=others)
    heavy = archive.files.exclude(row=None).values("row").annotate(octets=Sum("size"))
    if total := heavy.filter(octets__gt=LARGEST).count():
        yield Finding("enclosures_too_large", WARN, total=total)
    yield from _in_clear(archive)


def _in_clear(archive: EnclosureArchive) -> Iterator[Finding]:
    try:
        clear = sum(not safe for _name, safe, row in open_beginning(archive) if row)
    except ContentDestroyed:
        return  # said by the audience
    if clear:
        yield Finding("enclosures_in_clear", WARN, total=clear)
