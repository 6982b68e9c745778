"""What holds of the benchmarks without running them: each says what it measures, and tables line up."""

from __future__ import annotations

import importlib
import os

import pytest

from tests.benchmarks import cpu, newsletter
from tests.benchmarks.__main__ import NAMES
from tests.benchmarks.tables import Findings


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_says_what_it_measures(name: str) -> None:
    measure = importlib.import_module(f"tests.benchmarks.{name}").measure
    assert len(measure.__doc__) > 30


def test_a_table_lines_up_with_chinese_beside_latin() -> None:
    found = Findings()
    found.table("标题", ["", "a second"], [["签名", 12345.6], ["signed", 0.5]])
    assert found.tables == [
        "\n标题\n        a second\n------  --------\n签名      12,346\nsigned       0.5"
    ]


def test_the_newsletter_has_about_ten_kilobytes_on_the_wire() -> None:
    from datetime import UTC, datetime

    from campaigns.mailer.address import Mailbox
    from campaigns.mailer.message import Skeleton
    from campaigns.mailer.template import Renderer, TemplateSource

    renderer = Renderer(TemplateSource(newsletter.SUBJECT, newsletter.HTML, newsletter.TEXT))
    values = {"姓名": "读者1", "邮箱": "r@example.com", **newsletter.attributes(1)}
    rendered = renderer.render(values, extra={"unsubscribe_url": "https://hongyan.example/u/x"})
    message = Skeleton(from_=Mailbox("人事部", "hr@example.com"), reply_to=None).build(
        to=Mailbox("读者1", "r@example.com"),
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        message_id="<1@example.com>",
        date=datetime(2026, 11, 24, tzinfo=UTC),
    )
    assert 9_000 < len(message.content()) < 11_000


def test_cpu_is_counted_by_what_a_process_is() -> None:
    assert set(cpu.spent()) == {"workers", "PostgreSQL", "Redis", "smtp-sink"}
    assert cpu.peak_megabytes(os.getpid()) > 10
