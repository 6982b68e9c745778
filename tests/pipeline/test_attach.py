"""The payslip as a file: what arrives at the relay opens with its own person's password, and says only his."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pypdfium2
import pytest

from campaigns.models import Campaign, DataKey, Workbook, WorkbookRow
from campaigns.pipeline import control, preflight, send
from campaigns.pipeline.preflight import BLOCK, WARN
from tests import cast
from tests.documents.reading import pdf_text, xlsx_cells
from tests.fakes.scripted_relay import ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

COLUMNS = ("姓名", "邮箱", "身份证号", "应发/基本工资", "实发工资")
PEOPLE = [
    ("张三", "zhang@example.com", "110101199003071234", "9,000.00", "8,111.11"),
    ("李四", "li@example.com", "11010119900307123x", "9,500.00", "8,222.22"),
]
ID = {"attachment": "pdf", "password_column": "身份证号", "password_tail": 6}


def a_campaign(people: list[tuple[str | None, ...]], port: int = 1, **fields: object) -> Campaign:
    team = cast.a_team()
    cast.a_key(team)
    key = DataKey.objects.create(team=team)
    book = Workbook.objects.create(
        team=team,
        purpose="payslip",
        name="工资.xlsx",
        size=1,
        sha256="1" * 64,
        data_key=key,
        state="confirmed",
        reading=1,
        sheet="11月",
        columns=[{"name": name, "letter": "ABCDE"[i]} for i, name in enumerate(COLUMNS)],
        address_column=1,
        name_column=0,
        row_count=len(people),
    )
    for number, person in enumerate(people, 2):
        WorkbookRow.objects.create(
            team=team,
            workbook=book,
            reading=1,
            number=number,
            address=person[1],
            address_key=str(person[1]).lower(),
            sealed=key.seal_json({"name": person[0], "values": list(person)}),
        )
    return cast.a_campaign(cast.a_relay(team, port), book, **{**ID, **fields})


def sent(server: ScriptedRelay, campaign: Campaign) -> dict[str, EmailMessage]:
    cast.launched(campaign)
    send.send_batch(campaign.relay_id, "worker")
    return {  # type: ignore[return-value]
        message.rcpt_to[0]: email.message_from_bytes(message.content, policy=email.policy.default)
        for message in server.accepted
    }


def files(message: EmailMessage) -> list[tuple[str, bytes]]:
    return [
        (str(part.get_filename()), part.get_payload(decode=True))  # type: ignore[misc]
        for part in message.iter_attachments()
    ]


def kinds(campaign: Campaign, severity: str) -> set[str]:
    return {found.kind for found in preflight.check(campaign) if found.severity == severity}


class TestWhatArrives:
    def test_each_person_gets_his_own_pdf_for_his_own_password(self, server: ScriptedRelay) -> None:
        messages = sent(server, a_campaign(PEOPLE, server.port))
        ((name, document),) = files(messages["zhang@example.com"])
        assert name == "11 月工资条_张三.pdf"
        text = pdf_text(document, "071234")
        assert "8,111.11" in text
        assert "张三" in text
        assert "8,222.22" not in text
        ((_name, other),) = files(messages["li@example.com"])
        assert "8,222.22" in pdf_text(other, "07123X")
        with pytest.raises(pypdfium2.PdfiumError, match="password"):
            pdf_text(other, "071234")

    def test_nothing_of_the_row_stands_in_the_message_itself(self, server: ScriptedRelay) -> None:
        messages = sent(server, a_campaign(PEOPLE, server.port))
        for part in ("plain", "html"):
            body = messages["zhang@example.com"].get_body((part,))
            assert body is not None
            text = body.get_content()
            assert "打开附件的密码是您的身份证号的后 6 位" in text
            for value in ("8,111.11", "9,000.00", "071234", "1990"):
                assert value not in text

    def test_the_id_number_itself_is_not_in_the_file(self, server: ScriptedRelay) -> None:
        messages = sent(server, a_campaign(PEOPLE, server.port))
        ((_name, document),) = files(messages["zhang@example.com"])
        assert "110101199003071234" not in pdf_text(document, "071234")

    def test_as_a_workbook_too(self, server: ScriptedRelay) -> None:
        messages = sent(server, a_campaign(PEOPLE[:1], server.port, attachment="xlsx"))
        ((name, document),) = files(messages["zhang@example.com"])
        assert name.endswith(".xlsx")
        assert ["实发工资", "8,111.11"] in xlsx_cells(document, "071234")

    def test_a_row_without_a_password_fails_alone_and_names_the_cell(
        self, server: ScriptedRelay
    ) -> None:
        people = [
            *PEOPLE,
            ("王五", "wang@example.com", "", "1.00", "1.00"),
            ("赵六", "zhao@example.com", "123", "1.00", "1.00"),
            ("钱七", "qian@example.com", "1101********1234", "1.00", "1.00"),
        ]
        campaign = a_campaign(people, server.port)
        assert len(sent(server, campaign)) == 2
        failed = campaign.deliveries.filter(state="failed").order_by("row_number")
        assert [(row.reason, row.detail) for row in failed] == [
            ("no_password", "11月!C4"),
            ("password_short", "11月!C5"),
            ("password_characters", "11月!C6"),
        ]

    def test_two_people_in_one_mailbox_get_a_file_each(self, server: ScriptedRelay) -> None:
        people = [PEOPLE[0], ("李四", "ZHANG@example.com", *PEOPLE[1][2:])]
        messages = sent(server, a_campaign(people, server.port, duplicates="merged"))
        (first, second) = files(messages["zhang@example.com"])
        assert [first[0], second[0]] == ["11 月工资条_张三_1.pdf", "11 月工资条_李四_2.pdf"]
        assert "8,111.11" in pdf_text(first[1], "071234")
        assert "8,222.22" in pdf_text(second[1], "07123X")

    def test_a_test_to_oneself_holds_the_same_file(self, server: ScriptedRelay) -> None:
        campaign = a_campaign(PEOPLE[:1], server.port)
        cast.launched(campaign)
        delivery = campaign.deliveries.get()
        control.send_test(campaign, delivery, "hr@corp.example.com", "hr@corp.example.com")
        send.send_batch(campaign.relay_id, "worker")
        test = next(m for m in server.accepted if m.rcpt_to == ("hr@corp.example.com",))
        read = email.message_from_bytes(test.content, policy=email.policy.default)
        ((_name, document),) = files(read)
        assert "8,111.11" in pdf_text(document, "071234")

    def test_without_an_attachment_the_message_has_two_parts_as_ever(
        self, server: ScriptedRelay
    ) -> None:
        messages = sent(server, a_campaign(PEOPLE[:1], server.port, attachment=""))
        message = messages["zhang@example.com"]
        assert message.get_content_type() == "multipart/alternative"
        assert "8,111.11" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


class TestBeforeTheLaunch:
    def test_a_payroll_with_passwords_has_nothing_to_say(self) -> None:
        assert kinds(a_campaign(PEOPLE), BLOCK) == set()

    def test_cells_without_a_password_are_named_and_block_nobody_else(self) -> None:
        people = [*PEOPLE, ("王五", "wang@example.com", " ", "1.00", "1.00")]
        (found,) = [f for f in preflight.check(a_campaign(people)) if f.kind == "no_password"]
        assert (found.severity, found.total) == (WARN, 1)
        assert [(place.cell, place.address) for place in found.where] == [
            ("11月!C4", "wang@example.com")
        ]

    def test_a_rule_that_gives_nobody_a_password_blocks(self) -> None:
        assert "no_password_any" in kinds(a_campaign(PEOPLE, password_column="姓名"), BLOCK)

    def test_a_column_that_is_not_there_blocks(self) -> None:
        assert "no_password_column" in kinds(a_campaign(PEOPLE, password_column="手机"), BLOCK)
        assert "no_password_column" in kinds(a_campaign(PEOPLE, password_column=""), BLOCK)

    def test_a_hint_that_gives_a_password_away_blocks(self) -> None:
        assert "hint_leaks" in kinds(a_campaign(PEOPLE, password_hint="密码是 07 12 34"), BLOCK)
        assert "hint_leaks" not in kinds(a_campaign(PEOPLE, password_hint="后六位"), BLOCK)

    def test_one_password_for_everybody_blocks(self) -> None:
        same = [(n, f"{n}@example.com", "110101199003071234", "1.00", "1.00") for n in "abc"]
        assert "password_same" in kinds(a_campaign(same), BLOCK)

    def test_a_template_that_shows_the_password_blocks_and_other_columns_warn(self) -> None:
        campaign = a_campaign(PEOPLE)
        campaign.template = cast.a_template(
            campaign.team, html="<p>{{ 姓名 }} {{ 身份证号 }} {{ 实发工资 }}</p>"
        )
        assert "password_in_body" in kinds(campaign, BLOCK)
        warned = {f.kind: f.params for f in preflight.check(campaign) if f.severity == WARN}
        assert warned["fields_in_clear"] == {"fields": "实发工资"}
        assert "no_password_hint" in warned

    def test_a_cell_that_cannot_be_read_is_no_password(self) -> None:
        people = [("张三", "zhang@example.com", None, "1.00", "1.00")]
        assert "unreadable_cell" in kinds(a_campaign(people), BLOCK)
