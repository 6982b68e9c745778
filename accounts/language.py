"""The language of the pages: the user's choice, carried by the cookie that Django's middleware reads."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse


def remember(response: HttpResponse, language: str) -> HttpResponse:
    """From the next request on the pages are in this language, if there is one of that code."""
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=365 * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response
