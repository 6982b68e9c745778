"""How much a newsletter's links and picture tell about its readers; nothing unless somebody chooses it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Tracking(models.TextChoices):
    """AGGREGATED: its links carry no recipient, so that nothing can say who."""

    OFF = "", _("不统计")
    AGGREGATED = "aggregated", _("只计总数")
    INDIVIDUAL = "individual", _("记到每个人")


class Visitor(models.TextChoices):
    """Who a hit is taken for; all but PERSON are shown as machines."""

    PERSON = "person", _("人")
    PROXY = "proxy", _("邮箱的图片代理")
    SCANNER = "scanner", _("安全扫描")
    PREFETCH = "prefetch", _("预取")
    EARLY = "early", _("邮件刚到就来")
    BURST = "burst", _("几个链接同时打开")


# The number of the picture that tells of an open; links count from 1.
OPEN = 0
