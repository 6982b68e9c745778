"""Unsubscribing, for people without an account: a page with one button, and RFC 8058's one click.

A GET changes nothing, since scanners follow every link. The forms of the page are protected as all
forms are; only the one-click POST of a mail client, which has no page before it, is exempt.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from campaigns.pipeline import preferences as choosing
from campaigns.pipeline import track

View = Callable[..., HttpResponse]


def private(view: View) -> View:
    """Kept in no cache, and its address given to no other site. `no-referrer` would also hide the
    origin from ourselves, and with it every form of the page would be refused."""

    @wraps(view)
    def guarded(request: HttpRequest, token: str) -> HttpResponse:
        response = view(request, token)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return guarded


@csrf_exempt
@private
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The address in every newsletter's List-Unsubscribe and in its foot."""
    return _one_click(request, token) if request.method == "POST" else _page(request, token)


@require_safe
def _page(request: HttpRequest, token: str) -> HttpResponse:
    found = track.subscription(token)
    if found is None:
        return unknown(request)
    context = {"found": found, "address": masked(found.delivery.address), "token": token}
    return render(request, "public/unsubscribe.html", context)


def _one_click(request: HttpRequest, token: str) -> HttpResponse:
    """RFC 8058 section 3.2: the body says so, the answer is no redirect."""
    found = track.subscription(token)
    if found is None:
        return unknown(request)
    if request.POST.get("List-Unsubscribe") != "One-Click":
        return HttpResponse(_("这个地址只接受一键退订。"), status=400, content_type=_PLAIN)
    track.unsubscribe(found, how=track.BY_ONE_CLICK)
    return HttpResponse(_("已退订。"), content_type=_PLAIN)


_PLAIN = "text/plain; charset=utf-8"


@private
@require_POST
def leave(request: HttpRequest, token: str) -> HttpResponse:
    """The button of the page."""
    everything = request.POST.get("scope") == "all"
    return _act(request, token, lambda found: track.unsubscribe(found, everything=everything))


@private
@require_POST
def come_back(request: HttpRequest, token: str) -> HttpResponse:
    """“I left by mistake.”"""
    return _act(request, token, track.resubscribe)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Which of the sender's lists the recipient wants."""
    subscription = track.subscription(token)
    if subscription is None:
        return unknown(request)
    found = choosing.preferences(subscription)
    if request.method == "POST":
        wanted = [text for text in request.POST.getlist("list") if text.isdecimal()]
        choosing.choose(found, {int(text) for text in wanted if len(text) < 19})
        return redirect(reverse("campaigns:preferences", args=[token]) + "?saved=1")
    context = {
        "found": found,
        "address": masked(found.delivery.address),
        "token": token,
        "saved": "saved" in request.GET,
    }
    return render(request, "public/preferences.html", context)


def _act(
    request: HttpRequest, token: str, act: Callable[[track.Subscription], Any]
) -> HttpResponse:
    """Acts, then shows the page anew, so that loading it again does nothing."""
    found = track.subscription(token)
    if found is None:
        return unknown(request)
    act(found)
    return redirect("campaigns:unsubscribe", token)


def unknown(request: HttpRequest) -> HttpResponse:
    """The same for whatever is wrong with a link: it tells nothing about what exists."""
    return render(request, "public/unknown_link.html", status=404)


def masked(address: str) -> str:
    """Enough for its owner to know it, should the message have been passed on."""
    local, _at, domain = address.rpartition("@")
    return f"{local[:2] if len(local) > 3 else local[:1]}***@{domain}"
