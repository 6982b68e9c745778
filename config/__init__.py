"""Settings and the entry points of the web server and of Celery."""

from config import checks  # registers them
from config.celery import app as celery_app

__all__ = ["celery_app", "checks"]
