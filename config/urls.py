"""Every address of the site."""

from django.conf import settings
from django.urls import include, path

from campaigns.views.health import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("accounts/", include("accounts.urls")),
    path("", include("campaigns.urls")),
]
if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("campaigns.sandbox.urls")))
