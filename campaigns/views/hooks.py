"""A provider's calls, and the card of a relay on which their address is made."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.models import Relay, Right
from campaigns.models import Webhook
from campaigns.models.webhook import Provider, new_token
from campaigns.pipeline import webhook
from campaigns.views.access import member

LARGEST = 300_000
# Why a call was not believed: codes of pipeline/webhook.py.
REFUSALS: dict[str, Promise] = {
    "webhook_form": gettext_lazy("收到的不是 SNS 的通知，没有采信。"),
    "webhook_address": gettext_lazy("收到的通知指向的不是亚马逊的地址，没有采信。"),
    "webhook_certificate": gettext_lazy("收到的通知的证书无效，没有采信。"),
    "webhook_signature": gettext_lazy("收到的通知签名不对，没有采信。"),
    "webhook_stale": gettext_lazy("收到的通知太旧，没有采信。请核对服务器的时间。"),
    "webhook_topic": gettext_lazy("收到了别的主题的通知，没有采信。要换主题，请换一个地址。"),
    "webhook_unchecked": gettext_lazy(
        "一再取不到亚马逊的证书，通知没有采信。请看服务器能不能访问外网。"
    ),
}


def beside(request: HttpRequest, relay: Relay) -> dict[str, Any]:
    """For the relay's page: nothing for a provider that bounces by mail alone."""
    if relay.preset != Provider.SES:
        return {}
    found = Webhook.objects.filter(relay=relay).first()
    return {
        "takes_calls": True,
        "webhook": found,
        "hook_url": f"{settings.PUBLIC_URL}{reverse('campaigns:hook', args=[found.token])}"
        if found
        else "",
        "webhook_refusal": REFUSALS.get(found.last_refusal, "") if found else "",
    }


@csrf_exempt
@require_POST
def hook(request: HttpRequest, token: str) -> HttpResponse:
    """Kept, and answered at once: 200 says that it will not be lost."""
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return HttpResponse(status=400)
    if length > LARGEST:
        return HttpResponse(status=413)
    kept = webhook.receive(token, request.read(LARGEST))
    if kept is None:
        return HttpResponse(status=404)
    return HttpResponse(status=200 if kept else 429)


@member(Right.RELAYS)
@require_POST
def webhook_make(request: HttpRequest, pk: int) -> HttpResponse:
    """A new address; the one before, if any, is not answered any more."""
    relay = get_object_or_404(Relay, pk=pk, team=request.team)
    Webhook.objects.update_or_create(
        relay=relay,
        defaults={
            "team": request.team,
            "provider": Provider.SES,
            "token": new_token(),
            "topic": "",
            "confirmed_at": None,
            "last_refusal": "",
            "last_refusal_at": None,
        },
    )
    messages.success(request, _("地址已生成。请把它填到 SNS 主题的 HTTPS 订阅里。"))
    return redirect("campaigns:relay", pk)


@member(Right.RELAYS)
@require_POST
def webhook_remove(request: HttpRequest, pk: int) -> HttpResponse:
    relay = get_object_or_404(Relay, pk=pk, team=request.team)
    Webhook.objects.filter(relay=relay).delete()
    messages.success(request, _("地址已撤销，不再接收通知。"))
    return redirect("campaigns:relay", pk)
