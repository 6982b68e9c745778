"""`manage.py rotate_secrets`: every stored secret re-encrypted under the first encryption key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts.rotation import rotate_secrets
from accounts.secrets import SecretUnreadable


class Command(BaseCommand):
    help = "Re-encrypts every stored secret under the first key of HONGYAN_ENCRYPTION_KEYS."

    def handle(self, **options: Any) -> None:
        try:
            changed, seen = rotate_secrets()
        except SecretUnreadable as error:
            raise CommandError(
                _(
                    "HONGYAN_ENCRYPTION_KEYS 里没有能打开 %(where)s 的密钥。请先加回旧密钥，再运行一次。"
                )
                % {"where": error}
            ) from error
        self.stdout.write(
            _("共 %(seen)d 个密文，其中 %(changed)d 个已用新密钥重新加密。现在可以删去旧密钥。")
            % {"seen": seen, "changed": changed}
        )
