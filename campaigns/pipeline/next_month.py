"""Next month: a payroll whose columns are known is offered everything that the last one was sent with.

Nothing is taken over in silence: the offer says from which campaign, what is new, missing or renamed; a person's one
click makes a draft of it, in which all of it can be changed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.db import transaction

from accounts.models import User
from campaigns.documents.layout import Layout, from_json
from campaigns.documents.layout_edit import columns_renamed
from campaigns.models import (
    Campaign,
    CampaignRelay,
    ContentGrant,
    PayslipLayout,
    SendingHours,
    Workbook,
)
from campaigns.models.campaign import CampaignState
from campaigns.models.template import Kind
from campaigns.pipeline import layouts
from campaigns.pipeline.month_names import month_of, moved_on, steps_between, without_months

# How far back is looked, how alike two headers must be (shared columns of all), how many are offered.
LOOKED_AT, ALIKE, OFFERED = 36, 0.6, 5
# From here on two names are taken for one column that was renamed, as a guess that HR confirms.
SAME_COLUMN = 0.6

#: What a campaign hands on as it is. Name, subject, layout and the password's column are handed on changed.
TAKEN = (
    *("template_id", "relay_id", "from_name", "from_address", "reply_to"),
    *("duplicates", "in_doubt_policy", "attachment", "password_tail", "password_hint"),
    *("confirm_days", "stop_bounce_percent", "stop_complaint_percent"),
    *("stop_refusals", "stop_minutes"),
)


@dataclass(frozen=True)
class Difference:
    """A workbook's columns against those of an earlier one; `renamed` old → new, a guess."""

    new: Sequence[str]
    missing: Sequence[str]
    renamed: Mapping[str, str]
    share: float

    @property
    def is_same(self) -> bool:
        return not (self.new or self.missing or self.renamed)


@dataclass(frozen=True)
class Offer:
    """What one click would make: `name` and `subject` with the month moved on; `reread` is the column choice by
    which the earlier workbook was read and this one is not ({} where they agree)."""

    source: Campaign
    difference: Difference
    name: str
    subject: str
    reread: Mapping[str, int]

    @property
    def subject_shown(self) -> str:
        """What stands in the subject, the template's own where the campaign has none."""
        template = self.source.template
        return self.subject or (template.subject if template else "{{ title }}")


def offers(workbook: Workbook, user: User) -> list[Offer]:
    """Launched payslip campaigns that the user may read, with nearly the same columns; the best match first."""
    names = layouts.names_of(workbook)
    if not names:
        return []
    found = []
    for campaign in _earlier(workbook, user):
        difference = compare([column["name"] for column in sent_columns(campaign)], names)
        if difference.share >= ALIKE:
            found.append(_offer(campaign, workbook, difference))
    # As alike as can be told, then the last one sent.
    found.sort(key=lambda offer: (-round(offer.difference.share, 1), -_sent(offer.source)))
    return found[:OFFERED]


def offer(source: Campaign, workbook: Workbook, user: User) -> Offer | None:
    """The offer of one campaign, whatever its columns; None where the user may not read it."""
    if not _earlier(workbook, user).filter(pk=source.pk).exists():
        return None
    names = [column["name"] for column in sent_columns(source)]
    return _offer(source, workbook, compare(names, layouts.names_of(workbook)))


def _earlier(workbook: Workbook, user: User) -> Any:
    rows = Campaign.objects.filter(
        team=workbook.team_id, kind=Kind.PAYSLIP, launched_at__isnull=False, grants__user=user
    )
    rows = rows.exclude(workbook=workbook).exclude(state=CampaignState.DRAFT)
    rows = rows.select_related("workbook", "template", "layout", "relay")
    heavy = rows.defer("frozen_html", "frozen_text", "relay__secret", "template__html")
    ids = heavy.order_by("-launched_at").values_list("pk", flat=True)[:LOOKED_AT]
    return heavy.filter(pk__in=list(ids)).order_by("-launched_at")


def _sent(campaign: Campaign) -> float:
    return campaign.launched_at.timestamp() if campaign.launched_at else 0.0


def sent_columns(campaign: Campaign) -> list[dict[str, str]]:
    """The columns that a campaign was sent with, also when its workbook's content is destroyed."""
    if campaign.frozen_columns or campaign.workbook is None:
        return list(campaign.frozen_columns)
    return layouts.columns_of(campaign.workbook)


def _offer(source: Campaign, workbook: Workbook, difference: Difference) -> Offer:
    said = f"{workbook.name} {workbook.sheet}"
    steps = steps_between(source.name, said)
    return Offer(
        source,
        difference,
        moved_on(source.name, steps),
        moved_on(_subject(source), steps),
        _reread(source, workbook, difference),
    )


def _subject(source: Campaign) -> str:
    """The campaign's own; or its template's, where that names a month and would say last month's."""
    if source.subject or source.template is None:
        return source.subject
    subject = source.template.subject
    return subject if month_of(subject) else ""


def _reread(source: Campaign, workbook: Workbook, difference: Difference) -> dict[str, int]:
    """Address or name column where the earlier workbook had another one: by its name, or its new name."""
    names = layouts.names_of(workbook)
    choice: dict[str, int] = {}
    for column in sent_columns(source):
        name = difference.renamed.get(column["name"], column["name"])
        field = f"{column['role']}_column"
        if column["role"] and name in names and getattr(workbook, field) != names.index(name):
            choice[field] = names.index(name)
    return choice


def compare(earlier: Sequence[str], names: Sequence[str]) -> Difference:
    """Order plays no part, nor do blanks, width, case."""
    old, new = _by_key(earlier), _by_key(names)
    same = old.keys() & new.keys()
    gone = [name for key, name in old.items() if key not in same]
    come = [name for key, name in new.items() if key not in same]
    # Spelled otherwise is another name to a template and a layout.
    renamed = {old[key]: new[key] for key in old if key in same and old[key] != new[key]}
    guessed = _pairs(gone, come)
    taken = set(guessed.values())
    whole = len(old.keys() | new.keys()) - len(guessed)
    return Difference(
        [name for name in come if name not in taken],
        [name for name in gone if name not in guessed],
        renamed | guessed,
        (len(same) + len(guessed) / 2) / whole if whole else 0.0,
    )


def _by_key(names: Iterable[str]) -> dict[str, str]:
    return {_key(name): name for name in names}


def _key(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _pairs(gone: Sequence[str], come: Sequence[str]) -> dict[str, str]:
    """The likeliest pairs first, each name once."""
    likely = sorted(
        (
            (score, old, new)
            for old in gone
            for new in come
            if (score := _alike(old, new)) >= SAME_COLUMN
        ),
        key=lambda pair: -pair[0],
    )
    pairs: dict[str, str] = {}
    for _score, old, new in likely:
        if old not in pairs and new not in pairs.values():
            pairs[old] = new
    return pairs


def _alike(old: str, new: str) -> float:
    """From 0 to 1. The leaf counts, and another month, or another parent above the same leaf, hardly does."""
    one, two = (_key(without_months(name)) for name in (old, new))
    leaf_one, leaf_two = one.rpartition("/")[2], two.rpartition("/")[2]
    if one == two:
        return 1.0
    if leaf_one == leaf_two:
        return 0.9
    contained = min(leaf_one, leaf_two, key=len) in max(leaf_one, leaf_two, key=len)
    bonus = 0.15 if contained and min(len(leaf_one), len(leaf_two)) > 1 else 0.0
    return min(SequenceMatcher(None, leaf_one, leaf_two).ratio() + bonus, 0.89)


def begin(
    chosen: Offer,
    workbook: Workbook,
    user: User,
    *,
    name: str,
    subject: str,
    renamed: Mapping[str, str],
) -> Campaign:
    """The draft, with what `chosen` shows. `renamed` (old → new) is what HR confirmed; the layout follows it."""
    source = chosen.source
    with transaction.atomic():
        campaign = Campaign(
            team_id=workbook.team_id,
            kind=Kind.PAYSLIP,
            name=name,
            subject=subject,
            workbook=workbook,
            layout=_layout(source, user, renamed),
            password_column=renamed.get(source.password_column, source.password_column),
            preview_column=renamed.get(source.preview_column, source.preview_column),
            continues=source,
            created_by=user,
            **{field: getattr(source, field) for field in TAKEN},
        )
        campaign.save()
        _share(source, campaign)
        ContentGrant.objects.create(
            team_id=workbook.team_id, user=user, campaign=campaign, granted_by=user
        )
    return campaign


def _share(source: Campaign, campaign: Campaign) -> None:
    """The relays that carried the earlier one together, and its own hours."""
    for carrier in source.carriers.all():
        CampaignRelay.objects.create(
            team_id=campaign.team_id,
            campaign=campaign,
            relay_id=carrier.relay_id,
            weight=carrier.weight,
        )
    hours = SendingHours.objects.filter(campaign=source).first()
    if hours is not None:
        hours.pk, hours.campaign = None, campaign
        hours.save(force_insert=True)


def _layout(source: Campaign, user: User, renamed: Mapping[str, str]) -> PayslipLayout | None:
    """The team's layout with the renamed columns; one that was deleted comes back as it was sent."""
    row = source.layout
    if row is None:
        if not source.frozen_layout:
            return None
        stored: Mapping[str, Any] = source.frozen_layout
        row = layouts.store(
            team=source.team,
            user=user,
            content=stored["layout"],
            name=source.name,
            logo=stored["logo"],
        )
    layout: Layout = from_json(row.content)
    known = {old: new for old, new in renamed.items() if old in layout.names()}
    if known:
        layouts.change(row, columns_renamed(layout, known), user, version=row.version)
    return row
