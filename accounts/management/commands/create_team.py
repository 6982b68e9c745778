"""`manage.py create_team NAME --owner EMAIL`: a team and its first owner, who then adds the others."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.membership import add
from accounts.models import Role, Team


class Command(BaseCommand):
    help = "Makes a team and its first owner; prints a new owner's one-time password once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the team's name")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="who owns it")
        parser.add_argument("--time-zone", help="an IANA zone; default: DEFAULT_TIME_ZONE")
        parser.add_argument(
            "--intranet-links",
            action="store_true",
            help="links in its newsletters may point to a PUBLIC_URL inside the company, or without TLS",
        )

    def handle(self, **options: Any) -> None:
        team = Team(name=options["name"], intranet_links_allowed=options["intranet_links"])
        if options["time_zone"]:
            team.time_zone = options["time_zone"]
        try:
            validate_email(options["owner"])
            team.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        with transaction.atomic():
            team.save()
            added = add(team, email=options["owner"], name="", roles=[Role.OWNER])
        self.stdout.write(_("团队 %(team)s 已建立。") % {"team": team})
        if added.password:
            self.stdout.write(_("%(who)s 的一次性密码：") % {"who": added.user} + added.password)
