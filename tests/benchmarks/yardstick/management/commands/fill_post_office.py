"""Queues messages of the benchmarks' newsletter in django-post_office, rendered beforehand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from post_office.models import PRIORITY, STATUS, Email

from campaigns.mailer.template import Renderer, TemplateSource
from tests.benchmarks import newsletter


class Command(BaseCommand):
    help = "Queues so many messages."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("messages", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        renderer = Renderer(TemplateSource(newsletter.SUBJECT, newsletter.HTML, newsletter.TEXT))
        Email.objects.bulk_create(
            (_email(renderer, number) for number in range(options["messages"])), batch_size=500
        )


def _email(renderer: Renderer, number: int) -> Email:
    name, address = f"读者{number}", f"reader{number}@mail{number % 50}.example.com"
    values = {"姓名": name, "邮箱": address, **newsletter.attributes(number)}
    extra = {"unsubscribe_url": f"https://hongyan.example/u/{number:055d}"}
    rendered = renderer.render(values, extra=extra)
    return Email(
        from_email="人事部 <hr@corp.example.com>",
        to=[address],
        subject=rendered.subject,
        message=rendered.text,
        html_message=rendered.html,
        status=STATUS.queued,
        priority=PRIORITY.medium,
    )
