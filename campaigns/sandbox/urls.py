"""Addresses of the inbox page; included only where settings.SANDBOX is true."""

from django.urls import path

from . import views

app_name = "sandbox"

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("<int:seq>/", views.message, name="message"),
    path("<int:seq>/html", views.html, name="html"),
    path("<int:seq>/source", views.source, name="source"),
]
