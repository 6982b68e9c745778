"""`manage.py mark_restored`: says by hand that this database is a restored copy, before its workers start.

Where a copy cannot know itself: a whole machine that was set back, Redis and disk and database at once.
"""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from campaigns.pipeline import restored


class Command(BaseCommand):
    """Sending goes on when the owner of each team says so on its page."""

    help = "Marks this database as a restored copy: sending and mail polling stop until an owner switches them on."

    def handle(self, *args: Any, **options: Any) -> None:
        held = restored.mark_copy("by_hand")
        words = _("发信已关闭，%(held)s 个活动暂缓。由团队所有者在页面上重新打开。") % {
            "held": held
        }
        self.stdout.write(words)
