"""The WSGI entry point (gunicorn config.wsgi)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_django = get_wsgi_application()

# What needs a configured Django is imported after it.
from campaigns.views.tracked import TrackingDoor  # noqa: E402

application = TrackingDoor(_django)
