"""The first page after signing in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from campaigns.views.access import member


@member()
def overview(request: HttpRequest) -> HttpResponse:
    return render(request, "campaigns/overview.html")
