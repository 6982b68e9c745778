"""Subscribing: a list's public form, its settings, and the page of the mail that asks for confirmation.

The form may stand on any site, so its POST has no CSRF token: all that it can do is to send one mail,
within limits. Joining takes the POST of our own page.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.models import Right
from accounts.throttled_sign_in import network_of
from campaigns.forms.subscribing import JoinForm, SubscribeSettingsForm
from campaigns.models import ContactList, SubscribeForm
from campaigns.pipeline import subscribe
from campaigns.pipeline.compose import links
from campaigns.views.access import member
from campaigns.views.public import masked, private, unknown

SHOWN = 20


@member(Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def list_form(request: HttpRequest, pk: int) -> HttpResponse:
    """The settings, the address, the snippet to embed, and the latest requests with their proof."""
    found = get_object_or_404(ContactList, team=request.team, pk=pk)
    known = SubscribeForm.objects.select_related("campaign").filter(contact_list=found).first()
    form = SubscribeSettingsForm(
        request.POST or None, team=request.team, initial=_initial(known, request)
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        sender = subscribe.Sender(given["relay"], given["from_name"], given["from_address"])
        subscribe.save_form(
            found, sender, text=given["text"], enabled=given["enabled"], user=request.user
        )
        messages.success(request, _("订阅表单已保存。"))
        return redirect("campaigns:list_form", pk)
    context = {
        "contact_list": found,
        "form": form,
        "known": known,
        "address": links().join(known.pk) if known else "",
        "proofs": found.proofs.order_by("-pk")[:SHOWN],
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/lists/form.html", context, status=status)


def _initial(known: SubscribeForm | None, request: HttpRequest) -> dict[str, object]:
    if known is None:
        return {"from_name": request.team.name, "enabled": True}
    campaign = known.campaign
    return {
        "relay": campaign.relay_id,
        "from_name": campaign.from_name,
        "from_address": campaign.from_address,
        "text": known.text,
        "enabled": known.enabled,
    }


@csrf_exempt
@private
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """The public form. Its answer to an address is the same whether that is subscribed or not."""
    found = subscribe.open_form(token)
    if found is None:
        return unknown(request)
    form = JoinForm(request.POST or None)
    context = {"found": found, "form": form, "token": token}
    if request.method != "POST":
        return render(request, "public/join.html", context)
    if not form.is_valid():
        return render(request, "public/join.html", context, status=422)
    # A machine gets the answer that a person gets, and nothing else.
    if not form.cleaned_data["website"]:
        address, key = form.cleaned_data["email"]
        if not subscribe.ask(found, address, key, network_of(request)):
            return render(request, "public/join.html", {**context, "too_many": True}, status=429)
    return render(request, "public/join.html", {**context, "asked": True})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the mail; its button joins."""
    found = subscribe.asked(token)
    if found is None:
        return unknown(request)
    if request.method == "POST":
        subscribe.confirm(found, network_of(request))
        return redirect("campaigns:subscribe_confirm", token)
    context = {"found": found, "address": masked(found.address), "token": token}
    return render(request, "public/confirm.html", context)
