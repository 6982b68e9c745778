"""A team's own rules on messages that nothing recognised: marked in one, tried on the others, then saved."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Right
from campaigns.forms.phrases import PhraseForm
from campaigns.models import BounceRule, Original
from campaigns.models.content import ContentDestroyed
from campaigns.models.signals import announce
from campaigns.pipeline import bounce_rules, originals
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.found import named
from campaigns.views.originals import reader, shown

SHOWN_MATCHES = 20
# What may be said of a bounce, the most frequent first; in the words that the shipped readers use.
_REASONS = (
    "userunknown", "mailboxfull", "suspend", "hasmoved", "hostunknown", "filtered", "blocked", "spamdetected",
    "policyviolation", "rejected", "ratelimited", "mesgtoobig", "networkerror", "expired", "systemerror",
)  # fmt: skip


@member(Right.RELAYS)
def phrases(request: HttpRequest) -> HttpResponse:
    """The rules, in the order in which they are asked."""
    rows = BounceRule.objects.filter(team=request.team).order_by("pk")
    context = {"rows": [{"rule": row, "reason": sentence(row.reason)} for row in rows]}
    return render(request, "campaigns/originals/phrases.html", context)


@member(Right.RELAYS)
def phrase_new(request: HttpRequest) -> HttpResponse:
    """A new rule, perhaps out of a message (?original=)."""
    return _edited(request, BounceRule(team=request.team, created_by=request.user))


@member(Right.RELAYS)
def phrase(request: HttpRequest, pk: int) -> HttpResponse:
    """One rule."""
    return _edited(request, _rule(request, pk))


def _edited(request: HttpRequest, row: BounceRule) -> HttpResponse:
    """Saved only once its author has seen which kept messages it would have caught."""
    reasons = [(code, sentence(code)) for code in _REASONS]
    form = PhraseForm(request.POST or None, instance=row, team=request.team, reasons=reasons)
    valid = form.is_valid()
    if valid and form.was_shown and "save" in request.POST:
        return _saved(request, form)
    text = form.cleaned_data["phrase"] if valid else row.phrase if not form.is_bound else ""
    original = named(originals.rows(request.team.pk), request.GET.get("original"))
    context = {
        "form": form,
        "rule": row,
        "original": original,
        "said": _said(request, original),
        "preview": _preview(request, text) if text else None,
        "fingerprint": form.fingerprint,
        "number_tried": bounce_rules.TRIED,
    }
    wrong = form.is_bound and not valid
    response = render(
        request, "campaigns/originals/phrase.html", context, status=422 if wrong else 200
    )
    response["Cache-Control"] = "no-store, private"
    return response


def _saved(request: HttpRequest, form: PhraseForm) -> HttpResponse:
    row = form.save(commit=False)
    if form.cleaned_data["apply_too"]:
        # Who asks is who reads: a rule is tried on nothing that its author may not see.
        row.created_by, row.apply_asked_at = request.user, timezone.now()
        row.applied_number = 0
    row.save()
    if row.apply_asked_at:
        announce("apply_bounce_rule", row.pk)
    messages.success(request, _("规则已保存，从下一次收取起生效。"))
    return redirect("campaigns:phrases")


def _preview(request: HttpRequest, text: str) -> dict[str, Any]:
    mine = reader(request)
    trial = bounce_rules.tried(mine, text)
    return {
        "number": len(trial.caught),
        "looked": trial.looked,
        "sealed": trial.sealed,
        "matches": [shown(row, mine) for row in trial.caught[:SHOWN_MATCHES]],
        "more": len(trial.caught) - SHOWN_MATCHES,
    }


def _said(request: HttpRequest, original: Original | None) -> str:
    if original is None or not reader(request).may_read(original):
        return ""
    try:
        return originals.said_of(original)
    except ContentDestroyed:
        return ""


@member(Right.RELAYS)
@require_POST
def phrase_switch(request: HttpRequest, pk: int, on: bool) -> HttpResponse:
    BounceRule.objects.filter(pk=_rule(request, pk).pk).update(enabled=on)
    messages.success(request, _("规则已启用。") if on else _("规则已停用。"))
    return redirect("campaigns:phrases")


@member(Right.RELAYS)
@require_POST
def phrase_apply(request: HttpRequest, pk: int) -> HttpResponse:
    """A worker applies it to what is kept."""
    found = _rule(request, pk)
    BounceRule.objects.filter(pk=found.pk).update(
        apply_asked_at=timezone.now(), applied_number=0, created_by=request.user
    )
    announce("apply_bounce_rule", found.pk)
    messages.success(request, _("正在用于已经收到的邮件。"))
    return redirect("campaigns:phrases")


@member(Right.RELAYS)
@require_POST
def phrase_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """What it made of messages stays."""
    _rule(request, pk).delete()
    messages.success(request, _("规则已删除。"))
    return redirect("campaigns:phrases")


def _rule(request: HttpRequest, pk: int) -> BounceRule:
    return get_object_or_404(BounceRule, team=request.team, pk=pk)
