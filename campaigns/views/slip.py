"""An employee's payslip page: seen, confirmed or disputed without an account, by the link in the mail.

A GET changes nothing and shows no salary until the employee has asked to see it: scanners and link
previews follow every link.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from campaigns.forms.slip import DisputeForm
from campaigns.pipeline import confirm
from campaigns.pipeline.compose import Unsendable
from campaigns.views.framed import framed
from campaigns.views.public import masked, private, unknown


@private
@require_safe
def slip(request: HttpRequest, token: str) -> HttpResponse:
    found = confirm.slip(token)
    return unknown(request) if found is None else _page(request, token, found, DisputeForm())


def _page(request: HttpRequest, token: str, found: confirm.Slip, form: DisputeForm) -> HttpResponse:
    context = {
        "found": found,
        "campaign": found.campaign,
        "confirmation": found.confirmation,
        "address": masked(found.delivery.address),
        "token": token,
        "form": form,
    }
    status = 410 if found.dead else 422 if form.errors else 200
    # Nobody is signed in who has a zone: the company's.
    with timezone.override(found.campaign.team.zone):
        return render(request, "public/slip.html", context, status=status)


@private
@require_safe
def slip_content(request: HttpRequest, token: str) -> HttpResponse:
    """For the page's frame, once the slip was opened; a test's is open at once."""
    found = confirm.slip(token)
    if found is None or found.dead or not (found.confirmation.opened_at or found.is_test):
        raise Http404
    try:
        return framed(confirm.html_of(found))
    except Unsendable:
        raise Http404 from None


@private
@require_POST
def slip_open(request: HttpRequest, token: str) -> HttpResponse:
    """“Show me my payslip.”"""
    found = confirm.slip(token)
    if found is None or found.dead:
        return _over(request, token, found)
    confirm.open_slip(found)
    return redirect("campaigns:slip", token)


@private
@require_POST
def slip_confirm(request: HttpRequest, token: str) -> HttpResponse:
    found = confirm.slip(token)
    if found is None or found.dead:
        return _over(request, token, found)
    confirm.confirm(found)
    return redirect("campaigns:slip", token)


@sensitive_post_parameters()
@private
@require_POST
def slip_dispute(request: HttpRequest, token: str) -> HttpResponse:
    """“Something is wrong”: the words go to HR, sealed."""
    found, form = confirm.slip(token), DisputeForm(request.POST)
    if found is None or found.dead:
        return _over(request, token, found)
    if not form.is_valid():
        return _page(request, token, found, form)
    if not confirm.dispute(found, form.cleaned_data["text"]):
        messages.error(request, _("已经写过很多次了，请直接联系人力资源部。"))
    return redirect("campaigns:slip", token)


def _over(request: HttpRequest, token: str, found: confirm.Slip | None) -> HttpResponse:
    return unknown(request) if found is None else _page(request, token, found, DisputeForm())
