"""Every finding of the pre-flight has a sentence that takes its parameters."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import Role
from campaigns.models import Suppression
from campaigns.pipeline import preflight
from campaigns.pipeline.month_changes import Kind
from campaigns.views.findings import TEXTS, duration, shown
from tests.views.scene import PAYROLL, Scene

ROOT = Path(__file__).parents[2]
KIND = re.compile(r'(?:Finding|\.finding)\(\s*"(\w+)"')


def test_every_kind_has_a_sentence_and_every_sentence_a_kind():
    sources = sorted((ROOT / "campaigns" / "pipeline").glob("preflight*.py"))
    kinds = {kind for path in sources for kind in KIND.findall(path.read_text(encoding="utf-8"))}
    assert len(kinds) > 20
    # One for each thing that a comparison says of people.
    kinds |= {f"compare_{kind}" for kind in Kind}
    assert kinds == set(TEXTS)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_campaign_full_of_faults_is_explained_in_full():
    scene = Scene()
    hr = scene.user(Role.HR)
    rows = [
        *PAYROLL,
        ("王", "WANG@corp.example", None, "1"),
        ("赵", "赵@corp.example", "1", ""),
    ]
    campaign = scene.payslips(
        hr,
        workbook=scene.workbook(hr, rows=rows),
        template=scene.template(html="<p>{{ 实发 }} {{ 奖 }}</p>"),
        relay=scene.relay(per_day=2, enabled=False, from_addresses=["x@y.example"]),
    )
    relay = campaign.relay
    relay.parked_until, relay.park_reason = timezone.now() + timedelta(hours=1), "day_limit"
    relay.save()
    key = "han@corp.example"
    Suppression.objects.create(team=scene.team, address=key, address_key=key, reason="hard_bounce")
    findings = preflight.check(campaign)
    lines = [shown(finding, campaign, frozenset({"see", "payslips"})) for finding in findings]
    assert len(lines) == len({line["kind"] for line in lines}) == 13
    assert not any("%(" in line["text"] for line in lines)
    assert [line["severity"] for line in lines] == sorted(
        (line["severity"] for line in lines), key=["error", "warning", "notice"].index
    )
    page = scene.client(user=hr).get(f"/campaigns/{campaign.pk}/preflight/").content.decode()
    for words in ("11月工资!D6", "11月工资!C5", "第 2 行 · wang@corp.example", "x@y.example"):
        assert words in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "不到 1 分钟"),
        (90, "约 2 分钟"),
        (12_060, "约 3 小时 20 分"),
        (7200, "约 2 小时"),
        (3 * 86400, "约 3 天"),
    ],
)
def test_a_forecast_is_rounded_to_what_one_plans_by(seconds, words):
    assert duration(seconds) == words
