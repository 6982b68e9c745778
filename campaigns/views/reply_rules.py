"""Rules on replies: a relay's own and the shipped ones, what each caught, and trying a reply out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Relay, Right
from campaigns.forms.reply_rules import PHASES, ReplyRuleForm
from campaigns.models import Attempt, ReplyRule, ShippedRuleOff
from campaigns.pipeline import reply_rules
from campaigns.reasons import sentence
from campaigns.rule_texts import PROVIDERS, effect, said
from campaigns.views.access import member
from campaigns.views.delivery import PHASES as PHASE_NAMES
from campaigns.views.delivery import readable_text
from campaigns.views.found import named
from campaigns.views.pages import keyset

PAGE = 50
SHOWN_MATCHES = 20
LONGEST_REPLY = 5000


@dataclass(frozen=True)
class Listed:
    """A rule as its line on the page."""

    key: str
    said: str
    sign: str
    effect: str
    enabled: bool
    caught: reply_rules.Caught | None
    row: ReplyRule | None = None
    broken: bool = False


@member(Right.RELAYS)
def relay_rules(request: HttpRequest, pk: int) -> HttpResponse:
    """All rules of a relay in the order in which they are tried; a POST tries a pasted reply."""
    relay = _relay(request, pk)
    caught = reply_rules.caught_lately(relay)
    off = set(ShippedRuleOff.objects.filter(relay=relay).values_list("key", flat=True))
    shipped = [
        {"provider": PROVIDERS[provider], "rules": rules, "open": any(r.caught for r in rules)}
        for provider, rules in _shipped(relay, caught, off).items()
    ]
    context = {
        "relay": relay,
        "own": [_own(row, caught) for row in reply_rules.own_rules(relay)],
        "shipped": shipped,
        "phases": [choice for choice in PHASES if choice[0]],
        **_trial(request, relay),
    }
    return render(request, "campaigns/relays/rules.html", context)


def _shipped(
    relay: Relay, caught: dict[str, reply_rules.Caught], off: set[str]
) -> dict[str, list[Listed]]:
    groups: dict[str, list[Listed]] = {}
    for rule in reply_rules.shipped_for(relay):
        line = Listed(
            rule.key, said(rule), rule.sign, effect(rule), rule.key not in off, caught.get(rule.key)
        )
        groups.setdefault(rule.key.partition("/")[0], []).append(line)
    return groups


def _own(row: ReplyRule, caught: dict[str, reply_rules.Caught]) -> Listed:
    sign = " ".join(filter(None, (row.code, row.enhanced, row.text)))
    try:
        does, broken = effect(reply_rules.compiled(row)), False
    except ValueError:
        does, broken = "", True
    return Listed(row.key, row.sentence, sign, does, row.enabled, caught.get(row.key), row, broken)


def _trial(request: HttpRequest, relay: Relay) -> dict[str, Any]:
    """What would happen to the pasted reply; by POST, for a reply may name somebody."""
    pasted = request.POST.get("reply", "")[:LONGEST_REPLY]
    phase = request.POST.get("phase", "content")
    if phase not in dict(PHASES) or not phase:
        phase = "content"
    context: dict[str, Any] = {"pasted": pasted, "phase": phase, "trial": None}
    if not pasted.strip():
        return context
    trial = reply_rules.tried(pasted, phase, reply_rules.rules_of(relay))
    if trial is None:
        return context | {"no_reply": True}
    shown = {
        "reply": trial.reply,
        "said": said(trial.rule) if trial.rule else sentence(str(trial.verdict.reason)),
        "by_rule": trial.rule is not None,
        "own": trial.rule is not None and trial.rule.key.startswith("own:"),
        "effect": effect(trial.verdict),
    }
    return context | {"trial": shown}


@member(Right.RELAYS)
def relay_rule_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Blank, from an attempt's reply (?attempt=), or as a copy of a shipped rule (?copy=)."""
    relay = _relay(request, pk)
    start = ReplyRule(team=request.team, relay=relay, created_by=request.user)
    if attempt := named(_attempts(request), request.GET.get("attempt")):
        _fill_in(start, attempt, request)
    elif key := request.GET.get("copy"):
        start = _copy(relay, key)
        start.created_by = request.user
    return _edited(request, start, relay)


def _fill_in(rule: ReplyRule, attempt: Attempt, request: HttpRequest) -> None:
    """The reply's code, status and words; a sealed text's only for whoever may read it."""
    campaign = attempt.delivery.campaign
    readable = campaign.content_visible_to(request.user)
    text = readable_text(attempt, campaign, readable=readable)["text"]
    rule.code = str(attempt.code or "")
    rule.enhanced = attempt.enhanced
    rule.text = reply_rules.phrase_of(text)
    rule.action = "park_relay"


def _copy(relay: Relay, key: str) -> ReplyRule:
    rule = next((one for one in reply_rules.shipped_for(relay) if one.key == key), None)
    if rule is None:
        raise Http404
    row = reply_rules.row_of(rule, relay)
    row.sentence = said(rule)[:200]
    return row


@member(Right.RELAYS)
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """An own rule."""
    found = _rule(request, pk)
    return _edited(request, found, found.relay)


def _edited(request: HttpRequest, row: ReplyRule, relay: Relay | None) -> HttpResponse:
    """Saved only once its author has seen which replies of the last days it would have caught."""
    relay_of_page = relay or named(_relays(request), request.GET.get("relay"))
    form = ReplyRuleForm(request.POST or None, instance=row, relay=relay_of_page)
    valid = form.is_valid()
    if valid and form.was_shown and "save" in request.POST:
        saved = form.row()
        saved.save()
        messages.success(request, _("规则已保存，从下一批邮件起生效。"))
        return redirect(*_home(saved, relay_of_page))
    preview = None
    if valid or not form.is_bound:
        preview = _preview(form.row() if valid else row, relay_of_page, request)
    context = {
        "form": form,
        "rule": row,
        "relay": relay_of_page,
        "preview": preview if preview and (valid or preview["pattern"]) else None,
        "fingerprint": form.fingerprint,
    }
    wrong = form.is_bound and not valid
    return render(request, "campaigns/relays/rule.html", context, status=422 if wrong else 200)


def _preview(row: ReplyRule, relay: Relay | None, request: HttpRequest) -> dict[str, Any] | None:
    """Past replies that it would have caught."""
    row.action = row.action or "park_relay"
    try:
        compiled = reply_rules.compiled(row)
    except ValueError:
        return None
    pattern = bool(compiled.words or compiled.codes or compiled.enhanced)
    if not pattern:
        return {"pattern": False}
    past = reply_rules.past_replies(row.relay, request.team)
    found = reply_rules.would_catch(compiled, past)
    return {
        "pattern": True,
        "looked": len(past),
        "number": len(found),
        "matches": [
            {"attempt": one.attempt, "reply": one.reply, "sealed": one.sealed}
            for one in found[:SHOWN_MATCHES]
        ],
        "more": len(found) - SHOWN_MATCHES,
        "sealed": sum(one.sealed for one in past) if compiled.words else 0,
        "effect": effect(compiled),
    }


@member(Right.RELAYS)
@require_POST
def rule_switch(request: HttpRequest, pk: int, on: bool) -> HttpResponse:
    found = _rule(request, pk)
    ReplyRule.objects.filter(pk=found.pk).update(enabled=on)
    messages.success(request, _("规则已启用。") if on else _("规则已停用。"))
    return redirect(*_home(found, _asked_relay(request)))


@member(Right.RELAYS)
@require_POST
def rule_delete(request: HttpRequest, pk: int) -> HttpResponse:
    found = _rule(request, pk)
    home = _home(found, _asked_relay(request))
    found.delete()
    messages.success(request, _("规则已删除。"))
    return redirect(*home)


@member(Right.RELAYS)
@require_POST
def relay_shipped(request: HttpRequest, pk: int) -> HttpResponse:
    """Switches a shipped rule off or on again, for this relay alone."""
    relay, key = _relay(request, pk), request.POST.get("key", "")
    if all(one.key != key for one in reply_rules.shipped_for(relay)):
        raise Http404
    if "off" in request.POST:
        ShippedRuleOff.objects.get_or_create(team=request.team, relay=relay, key=key)
        messages.success(request, _("这个账号不再用这条规则，改按回复码处理。"))
    else:
        ShippedRuleOff.objects.filter(relay=relay, key=key).delete()
        messages.success(request, _("这个账号重新使用这条规则。"))
    return redirect("campaigns:relay_rules", pk)


@member(Right.RELAYS)
@require_safe
def relay_caught(request: HttpRequest, pk: int) -> HttpResponse:
    """The attempts behind a rule's number (?rule=; all rules without it)."""
    relay, key = _relay(request, pk), request.GET.get("rule", "")[:60]
    rows = (
        reply_rules.refusals(relay)
        .exclude(rule="")
        .select_related("delivery__campaign__workbook__data_key")
    )
    found = reply_rules.find(key, request.team.pk) if key else None
    page = keyset(rows.filter(rule=key) if key else rows, request, size=PAGE, descending=True)
    campaigns = {row.delivery.campaign for row in page.rows}
    readable = {one.pk: one.content_visible_to(request.user) for one in campaigns}
    context = {
        "relay": relay,
        "said": said(found) if found else "",
        "effect": effect(found) if found else "",
        "key": key,
        "keyset": page,
        "rows": [
            {
                "attempt": row,
                "phase": PHASE_NAMES.get(row.phase, row.phase),
                **readable_text(row, campaign, readable=readable[campaign.pk]),
            }
            for row in page.rows
            for campaign in [row.delivery.campaign]
        ],
    }
    response = render(request, "campaigns/relays/caught.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def _home(rule: ReplyRule, relay: Relay | None) -> tuple[Any, ...]:
    """The page where the rule is listed."""
    pk = rule.relay_id or (relay.pk if relay else None)
    return ("campaigns:relay_rules", pk) if pk else ("campaigns:relays",)


def _asked_relay(request: HttpRequest) -> Relay | None:
    return named(_relays(request), request.POST.get("relay"))


def _relays(request: HttpRequest) -> Any:
    return Relay.objects.filter(team=request.team).defer("secret", "ca_pem")


def _relay(request: HttpRequest, pk: int) -> Relay:
    return get_object_or_404(_relays(request), pk=pk)


def _rule(request: HttpRequest, pk: int) -> ReplyRule:
    rows = ReplyRule.objects.filter(team=request.team).select_related("relay")
    return get_object_or_404(rows.defer("relay__secret", "relay__ca_pem"), pk=pk)


def _attempts(request: HttpRequest) -> Any:
    return Attempt.objects.filter(team=request.team).select_related(
        "delivery__campaign__workbook__data_key"
    )
