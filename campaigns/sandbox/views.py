"""The inbox page of quickstart: every message that arrived, as its recipient would see it.

A mail's HTML is never part of a page of ours. It is served at an address of its own, which its
Content-Security-Policy makes a sandbox without scripts, origin or network, and shown in a frame.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from campaigns.mailer.signing import Algorithm, dns_record

from .behaviour import Behaviour, behaviour_of
from .reading import MAX_HEADER_BYTES, Summary, readable, summary_of
from .store import MAX_MESSAGES, MailStore, StoredMessage
from .verdict import Why, dkim_verdict

PAGE_SIZE = 50
FRAME_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
KINDS = {"arrived": _("收到的邮件"), "returned": _("退信和自动回复")}
RULES = {
    Behaviour.REFUSE: _("拒收：服务器答 550 5.1.1，收件人不存在"),
    Behaviour.DEFER: _("每封邮件第一次投递时答 451 4.7.1，稍后重试会被接受"),
    Behaviour.BOUNCE: _("先接受，约一秒后寄回退信"),
    Behaviour.AWAY: _("接受，并寄回一封自动回复"),
    Behaviour.STALL: _("收完正文后不再回答，邮件也不保存（结果待确认）"),
}
REASONS = {
    Why.VERIFIED: _("签名正确"),
    Why.NO_SIGNATURE: _("邮件没有签名"),
    Why.NO_KEY: _("找不到这个域名和选择器的公钥"),
    Why.BODY_CHANGED: _("正文在签名之后被改动"),
    Why.WRONG_SIGNATURE: _("签名与邮件头或公钥不符"),
    Why.MALFORMED: _("签名的写法有误"),
}

View = Callable[..., HttpResponse]


def sandbox_page(view: View) -> View:
    """For a signed-in member of a team, where the sandbox is on; never kept in a cache."""

    @require_safe
    @cache_control(private=True, no_store=True)
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.SANDBOX:
            raise Http404
        if getattr(request, "team", None) is None:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


@sandbox_page
def inbox(request: HttpRequest) -> HttpResponse:
    """All messages, newest first, searched by address, subject and author."""
    query, kind = request.GET.get("q", "").strip()[:200], request.GET.get("kind", "")
    store = _store(_folder())
    found = [
        message
        for message in reversed(store.messages())
        if kind not in KINDS or message.returned == (kind == "returned")
    ]
    if query:
        found = [message for message in found if _matches(store, message, query.casefold())]
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    options = [{"value": k, "label": label, "selected": k == kind} for k, label in KINDS.items()]
    context = {
        "page": page,
        "rows": [_row(store, message) for message in page],
        "query": query,
        "filtered": bool(query) or kind in KINDS,
        "filters": [{"name": "kind", "label": _("全部邮件"), "options": options}],
        "rules": [(f"{rule.value}…", text) for rule, text in RULES.items()],
    }
    return render(request, "sandbox/inbox.html", context)


@sandbox_page
def message(request: HttpRequest, seq: int) -> HttpResponse:
    """One message: HTML in its frame, text, headers or source, with its verdict and envelope."""
    stored, raw = _found(seq)
    mail = readable(raw)
    views = {"html": mail.html is not None, "text": mail.text is not None}
    views |= {"headers": True, "source": True}
    wanted = request.GET.get("view", "")
    verdict = dkim_verdict(raw, _published_key)
    context = {
        "stored": stored,
        "summary": summary_of(raw),
        "mail": mail,
        "view": wanted
        if views.get(wanted)
        else next(name for name, is_there in views.items() if is_there),
        "views": [name for name, is_there in views.items() if is_there],
        "source": raw[:200_000].decode("utf-8", "replace"),
        "is_cut": len(raw) > 200_000,
        "size": len(raw),
        "verdict": verdict,
        "reason": REASONS[verdict.why],
        "rules": _rules(stored),
    }
    return render(request, "sandbox/message.html", context)


@sandbox_page
@xframe_options_sameorigin
def html(_request: HttpRequest, seq: int) -> HttpResponse:
    """The HTML part for the frame. The header, not the frame alone, takes its rights away: the
    address may be opened by itself."""
    found = readable(_found(seq)[1]).html
    if found is None:
        raise Http404
    response = HttpResponse(found, content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = FRAME_POLICY
    response["Referrer-Policy"] = "no-referrer"
    return response


@sandbox_page
def source(_request: HttpRequest, seq: int) -> HttpResponse:
    """The message as it came, for a mail program."""
    stored, raw = _found(seq)
    response = HttpResponse(raw, content_type="message/rfc822")
    response["Content-Disposition"] = f'attachment; filename="{stored.file}"'
    response["Content-Security-Policy"] = FRAME_POLICY
    return response


def _folder() -> Path:
    return Path(settings.VAR_DIR) / "sandbox"


@lru_cache(maxsize=4)
def _store(folder: Path) -> MailStore:
    """A reader of its own: it follows the files that the servers write."""
    return MailStore(folder)


def _found(seq: int) -> tuple[StoredMessage, bytes]:
    store = _store(_folder())
    stored = store.get(seq)
    if stored is None:
        raise Http404
    try:
        return stored, store.raw(stored)
    except FileNotFoundError:
        raise Http404 from None


@lru_cache(maxsize=MAX_MESSAGES + 5_000)
def _summary(path: Path, _uid: str) -> Summary:
    """Files never change; the uid tells a new folder's message from an old one's."""
    try:
        with path.open("rb") as file:
            return summary_of(file.read(MAX_HEADER_BYTES))
    except FileNotFoundError:
        return Summary("", "")


def _matches(store: MailStore, stored: StoredMessage, query: str) -> bool:
    found = _summary(store.path(stored), stored.uid)
    texts = (*stored.rcpt_to, stored.mail_from, found.subject, found.sender)
    return any(query in text.casefold() for text in texts)


def _row(store: MailStore, stored: StoredMessage) -> dict[str, Any]:
    found = _summary(store.path(stored), stored.uid)
    return {"stored": stored, "summary": found, "rules": _rules(stored)}


def _rules(stored: StoredMessage) -> list[str]:
    """Which prefixes made the sandbox misbehave for this message."""
    if stored.returned:
        return []
    rules = {behaviour_of(address) for address in stored.rcpt_to} - {Behaviour.STORE}
    return [f"{rule.value}…" for rule in sorted(rules)]


def _published_key(domain: str, selector: str) -> str | None:
    """What DNS would say, were the key published: the sandbox's domains are not real."""
    # By name: the sandbox stands beside the application and imports neither models nor views.
    keys = apps.get_model("accounts", "SigningKey").objects
    key = keys.filter(domain__iexact=domain, selector__iexact=selector).order_by("-pk").first()
    if key is None:
        return None
    return dns_record(Algorithm(key.algorithm.partition("-")[0]), key.public_key)
