"""The site's settings and, for one test, a middleware that fails when it is asked to."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as _USUAL

MIDDLEWARE = [*_USUAL, "tests.security.failing_settings.FailOnDemand"]


class FailOnDemand:
    """Raises an exception that quotes what a page shows, after the page was made."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "X-Fail" in request.headers:
            text = response.content.decode()
            raise ValueError(f"forced: {text}")
        return response
