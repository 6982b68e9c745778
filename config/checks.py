"""What must not run in production: `manage.py check --deploy` (the compose file runs it before migrating)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.translation import gettext as _


@register(Tags.security, deploy=True)
def production(**_arguments: Any) -> list[CheckMessage]:
    """DEBUG, the embedded mode with its sandbox, hosts that anybody may claim, links without TLS."""
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(Error(_("DEBUG 已开启：错误页会显示内部数据。"), id="hongyan.E001"))
    if settings.EMBEDDED:
        found.append(Error(_("内置模式（HONGYAN_EMBEDDED）只用于试用。"), id="hongyan.E002"))
    if not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS:
        found.append(Error(_("ALLOWED_HOSTS 须写明本站的主机名。"), id="hongyan.E003"))
    if not settings.PUBLIC_URL.startswith("https://"):
        # An intranet may do without; then a superuser has to allow it for each team.
        found.append(
            Warning(_("PUBLIC_URL 不是 https 地址：邮件里的链接不加密。"), id="hongyan.W001")
        )
    return found
