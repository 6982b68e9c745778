"""`manage.py send_workbook`: the main job from a shell, with its rehearsal and its tests to oneself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Role, Team
from campaigns.documents.layout_guess import guess
from campaigns.models import Campaign, Delivery, PayslipLayout
from campaigns.pipeline import ledger as ledgers
from campaigns.pipeline import plan, send, sweep
from campaigns.quickstart.payroll import column_names, demo_payroll
from tests import cast
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def server(settings: object) -> Iterator[ScriptedRelay]:
    settings.EMBEDDED = True
    ledgers.ledger.cache_clear()
    with ScriptedRelay(RelayOptions()) as relay:
        yield relay
    ledgers.ledger.cache_clear()


@pytest.fixture
def payroll(tmp_path: Path, server: ScriptedRelay) -> Path:
    team = cast.a_team()
    cast.a_user(team, Role.HR)
    cast.a_key(team)
    cast.a_relay(team, server.port, name="公司邮箱")
    template = cast.a_template(team)
    template.name = "工资条"
    template.save()
    path = tmp_path / "11月.xlsx"
    path.write_bytes(demo_payroll(6, domain="example.com", awkward=[]))
    return path


def run(path: Path, *arguments: str, complaints: io.StringIO | None = None) -> str:
    out = io.StringIO()
    call_command(
        "send_workbook",
        str(path),
        "--template=工资条",
        "--relay=公司邮箱",
        f"--from=hr@{cast.DOMAIN}",
        *arguments,
        stdout=out,
        stderr=complaints or io.StringIO(),
    )
    return out.getvalue()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second that the command waits, the workers of the installation do their part."""

    def work(_seconds: float) -> None:
        for campaign_id in plan.start_due():
            plan.plan(campaign_id)
        for relay_id in Delivery.objects.values_list("relay_id", flat=True).distinct():
            send.send_batch(relay_id, "worker")
        sweep.sweep()

    monkeypatch.setattr("campaigns.management.commands.send_workbook.time.sleep", work)


def test_it_sends_one_message_to_each_row(
    payroll: Path, server: ScriptedRelay, workers: None
) -> None:
    assert "accepted: 6" in run(payroll)
    assert sorted(message.rcpt_to[0] for message in server.accepted) == [
        f"emp{number:04d}@example.com" for number in range(1, 7)
    ]


def test_a_layouts_name_is_a_template_too(
    payroll: Path, server: ScriptedRelay, workers: None
) -> None:
    layout = guess(column_names(), hidden=["姓名", "邮箱"]).as_json()
    PayslipLayout.objects.create(team=Team.objects.get(), name="排版", content=layout)
    run(payroll, "--template=排版")
    assert Campaign.objects.get().frozen_layout["layout"] == layout
    assert len(server.accepted) == 6


def test_a_rehearsal_composes_every_row_and_sends_nothing(
    payroll: Path, server: ScriptedRelay, workers: None
) -> None:
    assert "6 行，6 行可以发送" in run(payroll, "--dry-run")
    assert server.accepted == []
    assert not Campaign.objects.exists()


def test_tests_go_to_oneself_alone(payroll: Path, server: ScriptedRelay, workers: None) -> None:
    run(payroll, "--to-self=me@corp.example.com", "--limit=2")
    assert [message.rcpt_to for message in server.accepted] == [("me@corp.example.com",)] * 2


def test_a_limit_never_sends_to_a_part_of_the_staff_by_mistake(payroll: Path) -> None:
    with pytest.raises(CommandError, match="--limit"):
        run(payroll, "--limit=2")
    assert not Delivery.objects.exists()


def test_what_the_pre_flight_blocks_is_not_sent(payroll: Path, server: ScriptedRelay) -> None:
    complaints = io.StringIO()
    with pytest.raises(CommandError, match="没有发送"):
        run(payroll, "--from=ceo@elsewhere.example", complaints=complaints)
    assert "不能用 ceo@elsewhere.example 发信" in complaints.getvalue()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--relay=没有", "发信账号"),
        ("--template=没有", "模板"),
        ("--user=nobody@example.com", "人事"),
        ("--sheet=没有", "工作表"),
    ],
)
def test_a_name_that_leads_nowhere_is_a_sentence(payroll: Path, argument: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(payroll, argument)
