"""Addresses of the pages; one file of views a page."""

from django.urls import path

from campaigns.views import overview

app_name = "campaigns"

urlpatterns = [
    path("", overview.overview, name="overview"),
]
