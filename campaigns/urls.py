"""Addresses of the pages; one file of views a page."""

from django.urls import path

from campaigns.views import overview, templates

app_name = "campaigns"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("templates/", templates.templates, name="templates"),
    path("templates/new/", templates.template_new, name="template_new"),
    path("templates/fields/", templates.template_fields, name="template_fields"),
    path("templates/preview/", templates.template_preview, name="template_draft_preview"),
    path("templates/<int:pk>/", templates.template, name="template"),
    path("templates/<int:pk>/preview/", templates.template_preview, name="template_preview"),
    path("templates/<int:pk>/delete/", templates.template_delete, name="template_delete"),
]
