"""The Django application that holds everything with a message."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("群发")

    def ready(self) -> None:
        """The web process has to hear what announces work, too (tasks.py connects the signal)."""
        from campaigns import tasks  # noqa: F401 - models must be loaded first
