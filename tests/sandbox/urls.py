"""The site with the sandbox in it, though the settings of a test run leave it out."""

from django.urls import include, path

from config.urls import urlpatterns as site

urlpatterns = [*site, path("sandbox/", include("campaigns.sandbox.urls"))]
