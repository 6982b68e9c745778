"""Contacts: search, add, change and delete one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Right
from campaigns.forms.contact import ContactForm
from campaigns.models import Contact, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.models.feedback import SuppressionReason
from campaigns.views.access import member
from campaigns.views.pages import keyset
from campaigns.views.search import words_of
from campaigns.views.tracking import shown_of_contact

PAGE = 30


@member(Right.NEWSLETTERS)
@require_safe
def contacts(request: HttpRequest) -> HttpResponse:
    """All of the team's contacts, the newest first."""
    search = words_of(request)
    rows = Contact.objects.filter(team=request.team)
    if search:
        rows = rows.filter(Q(address__icontains=search) | Q(name__icontains=search))
    page = keyset(rows.prefetch_related("lists"), request, size=PAGE, descending=True)
    return render(request, "campaigns/contacts/contacts.html", {"page": page, "search": search})


@member(Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def contact_new(request: HttpRequest) -> HttpResponse:
    return _edit(request, Contact(team=request.team))


@member(Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(Contact, team=request.team, pk=pk))


def _edit(request: HttpRequest, instance: Contact) -> HttpResponse:
    form = ContactForm(request.POST or None, instance=instance)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("联系人已保存。"))
        return redirect("campaigns:contacts")
    context: dict[str, Any] = {"form": form, "contact": instance if instance.pk else None}
    if instance.pk:
        context["memberships"] = instance.memberships.select_related("contact_list")
        context["tracked"] = shown_of_contact(instance)
    status = 422 if form.errors else 200
    return render(request, "campaigns/contacts/contact.html", context, status=status)


@member(Right.NEWSLETTERS)
@require_POST
def contact_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """A list that the person had left keeps that in mind: an import may bring the address back."""
    with transaction.atomic():
        found = get_object_or_404(Contact.locked(), team=request.team, pk=pk)
        for membership in found.memberships.filter(status=MemberStatus.UNSUBSCRIBED):
            Suppression.objects.get_or_create(
                team=request.team,
                contact_list=membership.contact_list,
                address_key=found.address_key,
                defaults={"address": found.address, "reason": SuppressionReason.UNSUBSCRIBED},
            )
        found.delete()
    messages.success(request, _("联系人已删除。"))
    return redirect("campaigns:contacts")
