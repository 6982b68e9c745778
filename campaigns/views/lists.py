"""Lists: all of them with their counts, one with its members, and what is brought into it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Right
from campaigns.forms.contact import ListForm, PasteForm
from campaigns.forms.workbook import ImportForm
from campaigns.models import ContactList, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline import import_contacts
from campaigns.views.access import member
from campaigns.views.pages import keyset
from campaigns.views.search import words_of
from campaigns.views.workbook import find_own, show

PAGE = 30


@member(Right.NEWSLETTERS)
@require_safe
def lists(request: HttpRequest) -> HttpResponse:
    """The team's lists by name, with how many of each are subscribed."""
    unsubscribed = Count("members", filter=Q(members__status=MemberStatus.UNSUBSCRIBED))
    rows = (
        ContactList.objects.filter(team=request.team)
        .annotate(total=Count("members"), unsubscribed=unsubscribed)
        .order_by("name")
    )
    return render(request, "campaigns/lists/lists.html", {"rows": rows})


@member(Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def list_new(request: HttpRequest) -> HttpResponse:
    form = ListForm(request.POST or None, instance=ContactList(team=request.team))
    if request.method == "POST" and form.is_valid():
        return redirect("campaigns:list", form.save().pk)
    status = 422 if form.errors else 200
    return render(request, "campaigns/lists/new.html", {"form": form}, status=status)


@member(Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def list_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Its name, and whether recipients may choose it for themselves."""
    found = get_object_or_404(ContactList, team=request.team, pk=pk)
    form = ListForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("名单已保存。"))
        return redirect("campaigns:list", pk)
    # A name that was refused is not yet the list's.
    context = {"form": form, "contact_list": ContactList.objects.get(pk=pk)}
    status = 422 if form.errors else 200
    return render(request, "campaigns/lists/edit.html", context, status=status)


@member(Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def list_(request: HttpRequest, pk: int) -> HttpResponse:
    """Members with search; POST adds pasted lines."""
    found = get_object_or_404(ContactList, team=request.team, pk=pk)
    form = PasteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        _add(request, found, form.cleaned_data["lines"])
        return redirect("campaigns:list", pk)
    context = {
        "contact_list": found,
        "form": form,
        "counts": dict(found.members.values_list("status").annotate(Count("pk"))),
        "imports": found.imports.filter(imported_at=None).only("name", "import_done", "row_count"),
        **_members(request, found),
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/lists/list.html", context, status=status)


def _add(request: HttpRequest, contact_list: ContactList, people: dict[str, Any]) -> None:
    import_contacts.add(contact_list, people)
    left = contact_list.members.filter(
        contact__address_key__in=list(people), status=MemberStatus.UNSUBSCRIBED
    ).count()
    erased = Suppression.objects.filter(
        team=request.team, address_key__in=list(people), reason=SuppressionReason.ERASED
    ).count()
    joined = len(people) - left - erased
    messages.success(request, _("已加入 %(number)d 位联系人。") % {"number": joined})
    if erased:
        text = _("其中 %(number)d 位要求过删除个人数据，没有加入。")
        messages.warning(request, text % {"number": erased})
    if left:
        messages.warning(request, _("其中 %(number)d 位已退订，没有重新订阅。") % {"number": left})


def _members(request: HttpRequest, contact_list: ContactList) -> dict[str, Any]:
    search, status = words_of(request), request.GET.get("state", "")
    members = contact_list.members.select_related("contact")
    if search:
        members = members.filter(
            Q(contact__address__icontains=search) | Q(contact__name__icontains=search)
        )
    if status in MemberStatus.values:
        members = members.filter(status=status)
    page = keyset(members, request, size=PAGE, descending=True)
    keys = [row.contact.address_key for row in page.rows]
    everywhere_or_here = Q(contact_list=None) | Q(contact_list=contact_list)
    suppressed = dict(
        Suppression.objects.filter(
            everywhere_or_here, team=request.team, address_key__in=keys
        ).values_list("address_key", "reason")
    )
    for row in page.rows:
        row.suppressed = suppressed.get(row.contact.address_key, "")
    return {"page": page, "search": search, "status": status, "keep": {"state": status}}


@member(Right.NEWSLETTERS)
@require_POST
def list_member(request: HttpRequest, pk: int, member_pk: int) -> HttpResponse:
    """Unsubscribes a member, or takes one out. An unsubscribed one stays: it must be remembered."""
    row = get_object_or_404(ListMember, team=request.team, contact_list_id=pk, pk=member_pk)
    act = request.POST.get("act")
    if act == "unsubscribe":
        ListMember.objects.filter(pk=row.pk).update(status=MemberStatus.UNSUBSCRIBED)
        messages.success(request, _("已标记为退订。"))
    elif act == "remove":
        removed, _rows = ListMember.objects.filter(
            pk=row.pk, status=MemberStatus.SUBSCRIBED
        ).delete()
        if removed:
            messages.success(request, _("已移出名单。"))
    else:
        raise Http404
    return redirect("campaigns:list", pk)


@member(Right.NEWSLETTERS)
@require_POST
def list_import(request: HttpRequest, pk: int) -> HttpResponse:
    """A confirmed workbook's rows go into a list; a worker does it."""
    workbook = find_own(request, pk)
    form = ImportForm(request.POST, team=request.team)
    target = form.target() if form.is_valid() else None
    if target is None:
        return show(request, workbook, importing=form)
    if not import_contacts.begin(workbook, target):
        messages.error(request, _("没有开始导入：工作簿还没有确认，或正在导入。"))
    return redirect("campaigns:workbook", pk)
