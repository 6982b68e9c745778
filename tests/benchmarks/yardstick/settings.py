"""Django settings of the yardstick: django-post_office alone, on the same PostgreSQL and sink."""

from __future__ import annotations

import os

import dj_database_url

SECRET_KEY = "only-for-the-benchmark"
INSTALLED_APPS = ["django.contrib.contenttypes", "post_office", "tests.benchmarks.yardstick"]
DATABASES = {"default": dj_database_url.parse(os.environ["POST_OFFICE_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["POST_OFFICE_PORT"])
# All else as it comes: batches of 100, 5 threads a process, and a row of its log for each mail, as we
# write an Attempt for each.
POST_OFFICE = {"BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"}}
LOGGING_CONFIG = None
