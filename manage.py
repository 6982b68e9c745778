#!/usr/bin/env python3
"""Django's command line for Hongyan."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Without any environment (the embedded first run) the defaults are filled in before the
    # settings are imported, so that settings.py itself can stay strict.
    from config.embedded import prepare

    prepare(sys.argv[1:])
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if settings.configured:
            raise
        # A missing or broken variable is the operator's to mend: a sentence, no traceback.
        sys.exit(f"hongyan: {error}")


if __name__ == "__main__":
    main()
