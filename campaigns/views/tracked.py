"""The door of tracked links and pictures: /t/… is answered before Django's own request cycle, which costs 20 times as much.

Public, without a session, a cookie or a query: the HMAC in the address is all that is looked at, and the answer is a
redirect to what stands inside of it, or a picture. GET and HEAD alone; that they are remembered (pipeline/hits.py) is
the log of a request and never anybody's consent (invariant 9). Whatever is no address of ours gets Django's answer.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from campaigns.pipeline import follow
from campaigns.pipeline.follow import Followed
from campaigns.views.public import private, unknown

PREFIX = "/t/"
# 43 octets, one transparent point (GIF89a).
PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
# Each load is one, so no cache may keep it; and the site that is led to learns nothing of where from.
_HEADERS = [
    ("Cache-Control", "no-store, private"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("X-Content-Type-Options", "nosniff"),
]
_HINTS = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
_LONGEST = 300

StartResponse = Callable[..., Any]
Environment = dict[str, Any]
Application = Callable[[Environment, StartResponse], Iterable[bytes]]


class TrackingDoor:
    """A WSGI application (PEP 3333) before another one."""

    def __init__(self, behind: Application) -> None:
        self.behind = behind

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        found = None
        path = environment.get("PATH_INFO", "")
        if path.startswith(PREFIX) and environment["REQUEST_METHOD"] in ("GET", "HEAD"):
            found = follow.read(path[len(PREFIX) :])
        if found is None:
            return self.behind(environment, start_response)
        _record(found, environment)
        status, headers, body = _answer(found)
        start_response(status, headers)
        return [body] if environment["REQUEST_METHOD"] == "GET" else [b""]


@private
@require_safe
def tracked(request: HttpRequest, token: str) -> HttpResponse:
    """The same without the door before it (`runserver`), and the page of a broken link."""
    found = follow.read(token)
    if found is None:
        return unknown(request)
    _record(found, request.META)
    status, headers, body = _answer(found)
    return HttpResponse(body, status=int(status[:3]), headers=dict(headers))


def _answer(found: Followed) -> tuple[str, list[tuple[str, str]], bytes]:
    if found.link:
        body, status, own = b"", "302 Found", [("Location", found.target)]
    else:
        body, status, own = PICTURE, "200 OK", [("Content-Type", "image/gif")]
    return status, [*own, ("Content-Length", str(len(body))), *_HEADERS], body


def _record(found: Followed, environment: Environment) -> None:
    get = environment.get
    address = get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER:
        # The last entry is the only one that our proxy wrote itself.
        address = get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or address
    follow.record(
        found,
        method=environment["REQUEST_METHOD"],
        agent=get("HTTP_USER_AGENT", "")[:_LONGEST],
        address=address[:50],
        purpose=" ".join([get(name, "")[:50] for name in _HINTS if name in environment]),
    )
