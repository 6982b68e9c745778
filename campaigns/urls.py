"""Addresses of the pages; one file of views a page."""

from django.urls import path

from campaigns.views import (
    campaign,
    campaign_acts,
    campaign_new,
    campaigns,
    deliveries,
    delivery,
    keys,
    mailboxes,
    overview,
    preview,
    probes,
    public,
    relays,
    result,
    suppressions,
    templates,
)

app_name = "campaigns"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live/", overview.overview_live, name="overview_live"),
    path("campaigns/", campaigns.campaigns, name="campaigns"),
    path("campaigns/new/", campaign_new.campaign_new, name="campaign_new"),
    path("campaigns/<int:pk>/", campaign.campaign, name="campaign"),
    path("campaigns/<int:pk>/edit/", campaign_new.campaign_edit, name="campaign_edit"),
    path("campaigns/<int:pk>/progress/", campaign.campaign_progress, name="campaign_progress"),
    path("campaigns/<int:pk>/preflight/", campaign.campaign_preflight, name="campaign_preflight"),
    path("campaigns/<int:pk>/tests/", campaign.campaign_tests, name="campaign_tests"),
    path("campaigns/<int:pk>/preview/", preview.campaign_preview, name="campaign_preview"),
    path(
        "campaigns/<int:pk>/preview/html/",
        preview.campaign_preview_html,
        name="campaign_preview_html",
    ),
    path("campaigns/<int:pk>/test/", campaign_acts.campaign_test, name="campaign_test"),
    path("campaigns/<int:pk>/launch/", campaign_acts.campaign_launch, name="campaign_launch"),
    path("campaigns/<int:pk>/pause/", campaign_acts.campaign_pause, name="campaign_pause"),
    path("campaigns/<int:pk>/resume/", campaign_acts.campaign_resume, name="campaign_resume"),
    path("campaigns/<int:pk>/cancel/", campaign_acts.campaign_cancel, name="campaign_cancel"),
    path(
        "campaigns/<int:pk>/unschedule/",
        campaign_acts.campaign_unschedule,
        name="campaign_unschedule",
    ),
    path(
        "campaigns/<int:pk>/send-anyway/",
        campaign_acts.campaign_send_anyway,
        name="campaign_send_anyway",
    ),
    path("campaigns/<int:pk>/resolve/", campaign_acts.campaign_resolve, name="campaign_resolve"),
    path("campaigns/<int:pk>/result/", result.campaign_result, name="campaign_result"),
    path(
        "campaigns/<int:pk>/deliveries/", deliveries.campaign_deliveries, name="campaign_deliveries"
    ),
    path("deliveries/", deliveries.deliveries, name="deliveries"),
    path("deliveries/<int:pk>/", delivery.delivery, name="delivery"),
    path("deliveries/<int:pk>/resolve/", delivery.delivery_resolve, name="delivery_resolve"),
    path("templates/", templates.templates, name="templates"),
    path("templates/new/", templates.template_new, name="template_new"),
    path("templates/fields/", templates.template_fields, name="template_fields"),
    path("templates/preview/", templates.template_preview, name="template_draft_preview"),
    path("templates/<int:pk>/", templates.template, name="template"),
    path("templates/<int:pk>/preview/", templates.template_preview, name="template_preview"),
    path("templates/<int:pk>/delete/", templates.template_delete, name="template_delete"),
    path("relays/", relays.relays, name="relays"),
    path("relays/new/", relays.relay_new, name="relay_new"),
    path("relays/<int:pk>/", relays.relay, name="relay"),
    path("relays/<int:pk>/probe/", relays.relay_probe, name="relay_probe"),
    path("relays/<int:pk>/enable/", relays.relay_switch, {"on": True}, name="relay_enable"),
    path("relays/<int:pk>/disable/", relays.relay_switch, {"on": False}, name="relay_disable"),
    path("relays/<int:pk>/unpark/", relays.relay_unpark, name="relay_unpark"),
    path("relays/<int:pk>/delete/", relays.relay_delete, name="relay_delete"),
    path("probes/<int:pk>/", probes.probe, name="probe"),
    path("mailboxes/", mailboxes.mailboxes, name="mailboxes"),
    path("mailboxes/new/", mailboxes.mailbox_new, name="mailbox_new"),
    path("mailboxes/<int:pk>/", mailboxes.mailbox, name="mailbox"),
    path("mailboxes/<int:pk>/probe/", mailboxes.mailbox_probe, name="mailbox_probe"),
    path(
        "mailboxes/<int:pk>/enable/", mailboxes.mailbox_switch, {"on": True}, name="mailbox_enable"
    ),
    path(
        "mailboxes/<int:pk>/disable/",
        mailboxes.mailbox_switch,
        {"on": False},
        name="mailbox_disable",
    ),
    path("mailboxes/<int:pk>/delete/", mailboxes.mailbox_delete, name="mailbox_delete"),
    path("keys/", keys.keys, name="keys"),
    path("keys/new/", keys.key_new, name="key_new"),
    path("keys/<int:pk>/", keys.key, name="key"),
    path("keys/<int:pk>/enable/", keys.key_switch, {"on": True}, name="key_enable"),
    path("keys/<int:pk>/disable/", keys.key_switch, {"on": False}, name="key_disable"),
    path("keys/<int:pk>/delete/", keys.key_delete, name="key_delete"),
    path("suppressions/", suppressions.suppressions, name="suppressions"),
    path("suppressions/new/", suppressions.suppression_new, name="suppression_new"),
    path(
        "suppressions/<int:pk>/delete/", suppressions.suppression_delete, name="suppression_delete"
    ),
    path("u/<str:token>", public.unsubscribe, name="unsubscribe"),
    path("u/<str:token>/leave", public.leave, name="unsubscribe_leave"),
    path("u/<str:token>/undo", public.come_back, name="unsubscribe_undo"),
]
