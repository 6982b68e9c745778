"""`/healthz`: whether this web process reaches its database. It says nothing else, to anybody."""

from __future__ import annotations

import logging

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

log = logging.getLogger(__name__)


@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """204, or 503 without a word of the cause, which is in the log."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        log.warning("The database does not answer.")
        return HttpResponse(status=503)
    return HttpResponse(status=204)
