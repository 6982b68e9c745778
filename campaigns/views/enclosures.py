"""People's own files that go with a payslip: a zip is uploaded on the draft's page, read, and matched."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns.forms.enclosures import EnclosuresForm
from campaigns.forms.upload_handler import MemoryHandler
from campaigns.models import Campaign, EnclosureArchive
from campaigns.models.campaign import CampaignState
from campaigns.models.content import ContentDestroyed
from campaigns.models.enclosure import ArchiveState
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import enclose
from campaigns.views.access import member
from campaigns.views.found import own_readable_campaign

# Why an archive was not taken: kinds of documents.archive.ArchiveFault, and a key that is gone.
REJECTED: dict[str, Promise] = {
    "zip": gettext_lazy("这不是 zip 压缩包，或者已经损坏。"),
    "password": gettext_lazy("压缩包有密码，请去掉密码再上传。"),
    "compression": gettext_lazy("压缩方式不支持，请用 Windows 或 macOS 自带的压缩再打一次包。"),
    "broken": gettext_lazy("压缩包里有文件损坏。"),
    "empty": gettext_lazy("压缩包里没有文件。"),
    "many": gettext_lazy("压缩包里的文件太多（最多 20000 个）。"),
    "large": gettext_lazy("压缩包里有文件超过 10 MB。"),
    "total": gettext_lazy("压缩包解开后太大（最多 512 MB）。"),
    "heavy": gettext_lazy("压缩包里有 PDF 打开时要用的内存太多。请重新另存或打印成 PDF 再打包。"),
    "destroyed": gettext_lazy("工作簿的内容已经销毁。"),
    "other_workbook": gettext_lazy("活动换了工作簿，请把压缩包再上传一次。"),
}


@csrf_exempt  # checked below: reading the token reads the body, which no other handler may receive
@member()
@require_http_methods(["GET", "HEAD", "POST"])
def enclosures(request: HttpRequest, pk: int) -> HttpResponse:
    """The card for GET; an upload for POST. The bytes stay in memory until they are sealed."""
    request.upload_handlers = [MemoryHandler(settings.MAX_ARCHIVE_BYTES)]  # type: ignore[list-item]
    return _receive(request, pk)


@csrf_protect
def _receive(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = own_readable_campaign(request, pk)
    if request.method != "POST":
        return _card(request, campaign)
    handler: Any = request.upload_handlers[0]
    form = _form(campaign, request.POST, request.FILES)
    form.too_big = handler.too_big
    if campaign.state != CampaignState.DRAFT or campaign.workbook is None:
        messages.error(request, _("只有草稿能修改。"))
    elif not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, errors[0])
    elif _upload(request, campaign, form):
        messages.success(request, _("压缩包已上传，正在读取。"))
    else:
        messages.error(request, _("只有草稿能修改。"))
    return redirect("campaigns:campaign", pk)


def _upload(request: HttpRequest, campaign: Campaign, form: EnclosuresForm) -> bool:
    file = form.cleaned_data["file"]
    archive = enclose.upload(
        campaign,
        request.user,
        name=file.name,
        data=file.read(),
        column=form.cleaned_data["column"],
        protect=form.cleaned_data.get("protect", False),
    )
    return archive is not None


@member()
@require_safe
def enclosures_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """Polled while a worker reads."""
    return _card(request, own_readable_campaign(request, pk))


@member()
@require_POST
def enclosures_remove(request: HttpRequest, pk: int) -> HttpResponse:
    if enclose.remove(own_readable_campaign(request, pk)):
        messages.success(request, _("文件已移除，不再随邮件发送。"))
    return redirect("campaigns:campaign", pk)


def _form(campaign: Campaign, *data: Any) -> EnclosuresForm:
    return EnclosuresForm(*data, campaign=campaign, limit=settings.MAX_ARCHIVE_BYTES)


def _card(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    archive = EnclosureArchive.objects.filter(campaign=campaign).defer("sealed").first()
    context: dict[str, Any] = {
        "campaign": campaign,
        "archive": archive,
        "form": _form(campaign),
        "is_draft": campaign.state == CampaignState.DRAFT,
    }
    if archive is not None:
        confirmed = campaign.workbook is not None and (
            campaign.workbook.state == ReadingState.CONFIRMED
        )
        reading = archive.state in (ArchiveState.UPLOADED, ArchiveState.READING)
        waits = archive.matched_reading is None and confirmed
        context |= {
            "open": reading or (archive.state == ArchiveState.READ and waits),
            "confirmed": confirmed,
            "rejected": REJECTED.get(archive.reject_kind, ""),
            "matched": archive.file_count - archive.unmatched_count - archive.ambiguous_count,
            **_findings(archive),
        }
    response = render(request, "campaigns/campaigns/enclosures.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def _findings(archive: EnclosureArchive) -> dict[str, list[str]]:
    workbook = archive.campaign.workbook
    if archive.sealed_findings is None or workbook is None:
        return {}
    try:
        found: dict[str, list[str]] = workbook.data_key.open_json(archive.sealed_findings)
    except ContentDestroyed:
        return {}
    return found
