"""Before a launch: can each row's file be encrypted, and does nothing beside it give it away?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from campaigns.documents.password_rule import PasswordFault, gives_away
from campaigns.mailer.template import TemplateSource, extras_used, fields_used
from campaigns.models import Campaign
from campaigns.models.content import ContentDestroyed
from campaigns.pipeline.attach import rule_of
from campaigns.pipeline.preflight_finding import BLOCK, WARN, Collected, Finding, Place
from campaigns.pipeline.sheet_rows import ADDRESS_FIELD, NAME_FIELD, SheetRows

CHUNK = 2000


def attachments(campaign: Campaign) -> Iterator[Finding]:
    """Nothing for a campaign without attachments."""
    if not campaign.attachment or campaign.workbook is None:
        return
    rows = SheetRows(campaign)
    yield from _beside(campaign, rows)
    column = rows.index(campaign.password_column)
    if column is None:
        params = {"column": campaign.password_column or "—"}
        yield Finding("no_password_column", BLOCK, params, fix="campaign_edit")
        return
    yield from _passwords(campaign, rows, column)


def _passwords(campaign: Campaign, rows: SheetRows, column: int) -> Iterator[Finding]:
    """Rows that will fail for want of a password, a rule that gives all the same, a hint that tells."""
    rule = rule_of(campaign)
    faults: dict[str, Collected] = defaultdict(Collected)
    found: set[str] = set()
    given = leaks = 0
    try:
        for row in rows.workbook.rows.iterator(chunk_size=CHUNK):
            try:
                value = rows.opened(row)["values"][column]
                password = rule.password(value)
            except PasswordFault as fault:
                place = Place(row.number, rows.place(row, column), row.address)
                faults[fault.kind].add(place)
                continue
            found.add(password)
            given += 1
            leaks += gives_away(campaign.password_hint, password)
    except ContentDestroyed:
        return  # said by the audience
    if faults and not given:
        yield Finding("no_password_any", BLOCK, fix="campaign_edit")
    yield from _missing(faults)
    if leaks:
        yield Finding("hint_leaks", BLOCK, total=leaks, fix="campaign_edit")
    if given >= 3 and len(found) == 1:
        yield Finding("password_same", BLOCK, total=given, fix="campaign_edit")


def _missing(faults: dict[str, Collected]) -> Iterator[Finding]:
    """Each of these rows fails alone; the others go out."""
    if "missing" in faults:
        yield faults["missing"].finding("no_password", WARN, fix="workbooks")
    if "short" in faults:
        yield faults["short"].finding("password_short", WARN, fix="workbooks")
    if "characters" in faults:
        yield faults["characters"].finding("password_characters", WARN, fix="workbooks")


def _beside(campaign: Campaign, rows: SheetRows) -> Iterator[Finding]:
    """What the message's own text says, which everybody can read who gets hold of it."""
    template = campaign.template
    if template is None:
        return
    source = TemplateSource(template.subject, template.html, template.text)
    shown = fields_used(source) - {ADDRESS_FIELD, NAME_FIELD}
    if campaign.password_column in shown:
        params = {"column": campaign.password_column}
        yield Finding("password_in_body", BLOCK, params, fix="template", fix_id=template.pk)
    columns = (column["name"] for column in rows.columns)
    clear = [name for name in columns if name in shown - {campaign.password_column}]
    if clear:
        params = {"fields": "、".join(clear[:8])}
        yield Finding("fields_in_clear", WARN, params, fix="template", fix_id=template.pk)
    if "password_hint" not in extras_used(source):
        yield Finding("no_password_hint", WARN, fix="template", fix_id=template.pk)
