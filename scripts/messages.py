"""`make messages`: collects every marked sentence into locale/en and compiles it (needs GNU gettext).

The Chinese sentence is the message id; whoever adds one writes its English in the .po file and runs this
again. Both files are committed, so that running and testing Hongyan needs no gettext.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "locale/en/LC_MESSAGES/django.po"
# Not ours to translate, or not the product.
IGNORED = [".venv", "var", "node_modules", "staticfiles", "tests", "static/vendor"]
# Names that gettext's functions go by here, beside those that Django knows itself.
ALIASES = ["--keyword=_now"]
# A date would change the file at every run and say nothing.
DATES = re.compile(r'^"(POT-Creation-Date|PO-Revision-Date): .*\n', re.MULTILINE)


def collect() -> None:
    """Django's makemessages. It wants settings first; these lead nowhere."""
    from cryptography.fernet import Fernet

    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "for-collecting-sentences",
        "HONGYAN_ENCRYPTION_KEYS": Fernet.generate_key().decode("ascii"),
        "PUBLIC_URL": "https://hongyan.example",
        "DATABASE_URL": "sqlite://:memory:",
        "REDIS_URL": "redis://127.0.0.1:9/0",
    }
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    import django
    from django.core.management import call_command
    from django.core.management.commands import makemessages

    django.setup()
    command = makemessages.Command()
    command.xgettext_options = [*command.xgettext_options, *ALIASES]
    options = {"no_location": True, "no_obsolete": True, "no_wrap": True}
    call_command(command, locale=["en"], ignore_patterns=IGNORED, **options)


def main() -> None:
    if shutil.which("xgettext") is None:
        sys.exit("hongyan: GNU gettext is missing (on Debian: apt install gettext).")
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    collect()
    text = CATALOGUE.read_text(encoding="utf-8")
    CATALOGUE.write_text(DATES.sub("", text), encoding="utf-8")
    compiled = CATALOGUE.with_suffix(".mo")
    subprocess.run(["msgfmt", "--check-format", "-o", compiled, CATALOGUE], check=True)


if __name__ == "__main__":
    main()
