"""Originals: a message that came back as it came, and those that nothing recognised."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.models import Right
from campaigns.models import BounceRule, Original
from campaigns.models.content import ContentDestroyed
from campaigns.pipeline import originals
from campaigns.pipeline.originals import Reader
from campaigns.views.access import member
from campaigns.views.pages import keyset
from campaigns.views.verdicts import VERDICTS

PAGE = 50
# Who may have something to read here; which messages, says `Reader`.
READERS = (Right.RELAYS, Right.PAYSLIPS)
# Characters of a source that a page shows.
SHOWN = 200_000
_EXCERPT = 300


def reader(request: HttpRequest) -> Reader:
    return Reader(request.user, request.team.pk, frozenset(request.rights))


@member(*READERS)
@require_safe
def unrecognised(request: HttpRequest) -> HttpResponse:
    """What waits for somebody to say what it is, the newest first."""
    found = originals.open_rows(request.team.pk).defer("sealed")
    page, mine = keyset(found, request, size=PAGE, descending=True), reader(request)
    context = {
        "rows": [shown(row, mine) for row in page.rows],
        "keyset": page,
        "rules": BounceRule.objects.filter(team=request.team).count(),
        "days": request.team.originals_days,
        "may_rule": Right.RELAYS in request.rights,
    }
    return _private(render(request, "campaigns/originals/unrecognised.html", context))


def shown(row: Original, mine: Reader) -> dict[str, Any]:
    """A row of a list: the subject and the beginning of the text, where this reader may see them."""
    readable = mine.may_read(row)
    said = ""
    if readable:
        try:
            said = originals.said_of(row)
        except ContentDestroyed:
            readable = False
    subject, _, text = said.partition("\n")
    return {
        "row": row,
        "readable": readable,
        "subject": subject.strip()[:200],
        "excerpt": " ".join(text[:2000].split())[:_EXCERPT],
        "verdict": VERDICTS.get(row.verdict, row.verdict),
    }


@member(*READERS)
@require_safe
def original(request: HttpRequest, pk: int) -> HttpResponse:
    """The source as text: nothing in it is ever rendered."""
    found = get_object_or_404(originals.rows(request.team.pk).select_related("rule"), pk=pk)
    if not reader(request).may_read(found):
        raise PermissionDenied
    try:
        source = originals.source_of(found)
    except ContentDestroyed:
        raise Http404 from None
    context = {
        "original": found,
        "verdict": VERDICTS.get(found.verdict, found.verdict),
        "source": _text(source)[:SHOWN],
        "is_cut": found.cut or len(source) > SHOWN,
        "feedback": found.feedback.select_related("delivery").order_by("pk")[:20],
        "is_open": found.verdict in originals.OPEN and Right.RELAYS in request.rights,
    }
    return _private(render(request, "campaigns/originals/original.html", context))


def _text(source: bytes) -> str:
    """Bytes as people may read them; Chinese houses write GBK."""
    for charset in ("utf-8", "gb18030"):
        try:
            return source.decode(charset).replace("\0", "�")
        except UnicodeDecodeError:
            continue
    return source.decode("latin-1").replace("\0", "�")


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store, private"
    return response
