"""Search: what somebody looks for is posted, and stands sealed in the address of the page that shows it.

So a proxy's log and a browser's history hold no name and no address, and the page stays one that can be walked,
filtered and kept. The key is SECRET_KEY's: nothing that is stored can be opened by it.
"""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.http import require_POST

from campaigns.views.access import member

LONGEST = 320
_PAGES = frozenset(
    f"campaigns:{name}"
    for name in (
        "campaigns",
        "deliveries",
        "campaign_deliveries",
        "contacts",
        "list",
        "suppressions",
    )
)
_OURS = frozenset({"q", "to", "csrfmiddlewaretoken"})


@member()
@require_POST
def search(request: HttpRequest) -> HttpResponse:
    """On to the page `to`, with the words sealed and every other field as it is."""
    try:
        found = resolve(request.POST.get("to", ""))
    except Resolver404:
        raise Http404 from None
    if found.view_name not in _PAGES:
        raise Http404
    fields = {name: value for name, value in request.POST.items() if value and name not in _OURS}
    if words := request.POST.get("q", "").strip():
        fields["s"] = _cipher().encrypt(words[:LONGEST].encode()).decode()
    page = reverse(found.view_name, kwargs=found.kwargs)
    return redirect(f"{page}?{urlencode(fields)}" if fields else page)


def words_of(request: HttpRequest) -> str:
    """What is looked for on this page; "" for nothing, and for what was sealed with a key that is gone."""
    sealed = request.GET.get("s", "")
    try:
        words = _cipher().decrypt(sealed.encode()).decode() if sealed else request.GET.get("q", "")
    except InvalidToken:
        return ""
    # PostgreSQL takes no NUL in a text.
    return words.replace("\0", "").strip()[:LONGEST]


def _cipher() -> Fernet:
    key = hashlib.sha256(b"hongyan.search\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
