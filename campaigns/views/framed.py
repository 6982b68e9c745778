"""A mail's HTML for a frame: never part of a page of ours, without scripts, origin or network."""

from __future__ import annotations

from django.http import HttpResponse

# The header takes the rights away, not the frame alone: the address may be opened by itself.
FRAME_POLICY = (
    "sandbox; default-src 'none'; img-src data: https:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def framed(html: str) -> HttpResponse:
    """The HTML at an address of its own, which only a frame of ours may show."""
    response = HttpResponse(html, content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = FRAME_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store, private"
    return response
