"""The site with the sandbox in it, whatever the settings were when config.urls was loaded."""

from django.urls import include, path

from config.urls import urlpatterns as site

urlpatterns = [*site, path("mails/", include("campaigns.sandbox.urls"))]
