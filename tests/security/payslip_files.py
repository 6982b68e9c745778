"""The next month's payroll of the canary test, with everything on that handles content beside the mail.

A layout, an encrypted PDF, own files from a zip, a page to confirm on with a dispute, the comparison with the
month before, a reply that quotes the slip, a delivery in doubt that an alert tells of, a recall.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from email.message import EmailMessage

import pikepdf

from tests.end_to_end.site import LiveSite
from tests.fakes.robot import TOKEN, RobotServer
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.fakes.scripted_relay import Accepted, ScriptedRelay
from tests.fakes.sheets import xlsx
from tests.security.canary import content_of, parsed
from tests.security.visitor import Visitor
from tests.servers.process import becomes_true

HEADER = ("工号", "姓名", "邮箱", "身份证号", "应发工资", "实发工资")
PAY, PERSON = "7777.66", "云雀"
NUMBER, TAIL = "11010519491231002X", "31002X"
ENCLOSED, DISPUTE = "canary-in-a-contract", "canary-says-it-is-too-little"
STAFF = ("second.person", "quoted.again", "doubted")
# What may lie nowhere. The end of an ID number is the password of a file.
SECRETS = (PAY, PERSON, NUMBER, TAIL, ENCLOSED, DISPUTE)
ROBOT = TOKEN


def the_next_month(
    site: LiveSite, hr: Visitor, relay: ScriptedRelay, maildrop: ScriptedPop3, robot: RobotServer
) -> str:
    """Everything by HTTP, as HR and an employee do it; what commands said in passing."""
    page = read(site, hr)
    campaign = drafted(hr, page)
    enclosed(site, hr, campaign)
    compared(site, hr, campaign)
    assert hr.get(f"{campaign}preflight/").status == 200
    assert hr.get(f"{campaign}preview/").status == 200
    before = len(relay.accepted)
    assert hr.post(f"{campaign}launch/", when="now").status == 302
    assert becomes_true(lambda: sent(site), seconds=30, every=0.3), hr.get(
        f"{campaign}preflight/"
    ).text
    messages = relay.accepted[before:]
    (mine,) = (one for one in messages if "second.person@" in one.rcpt_to[0])
    opens(mine)
    disputes(site, hr, mine)
    answer(maildrop, mine)
    assert becomes_true(lambda: collected(site) == 3, seconds=30, every=0.2), site.log("worker")
    said = told(site, robot)
    assert hr.post(f"{campaign}recall/", reason="发错了").status == 302
    return said


def read(site: LiveSite, hr: Visitor) -> str:
    people = [
        (
            f"N{n}",
            f"{PERSON}{n}",
            f"{local}@staff.example.com",
            NUMBER[n:] + NUMBER[:n],
            "9999.00",
            PAY,
        )
        for n, local in enumerate(STAFF)
    ]
    data = xlsx({"12月工资": [("鸿雁科技 12 月工资表",), HEADER, *people]})
    page = hr.upload("/workbooks/upload/", "十二月.xlsx", data, purpose="payslip").location
    assert becomes_true(lambda: PAY in hr.get(page).text, seconds=40, every=0.3), site.log("worker")
    assert hr.post(f"{page}confirm/", reading="1").status == 302
    return page


def drafted(hr: Visitor, page: str) -> str:
    relay = re.search(
        r'<option value="(\d+)"[^>]*>中继', hr.get("/campaigns/new/?kind=payslip").text
    )
    assert relay is not None
    made = hr.post(
        "/campaigns/new/",
        kind="payslip",
        name="十二月工资条",
        audience=f"workbook:{page.strip('/').rpartition('/')[2]}",
        layout="new",
        relay=relay[1],
        from_name="人事部",
        from_address="hr@corp.example.com",
        in_doubt_policy="ask",
        duplicates="both",
        attachment="pdf",
        password_column="身份证号",
        password_tail="6",
        confirm_days="14",
    )
    assert made.status == 302, made.text
    return made.location


def a_contract() -> bytes:
    """A PDF that says the canary where anybody would see it."""
    target = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.docinfo["/Title"] = ENCLOSED
        pdf.save(target, compress_streams=False)
    assert ENCLOSED.encode() in target.getvalue()
    return target.getvalue()


def enclosed(site: LiveSite, hr: Visitor, campaign: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for owner in ("N0", "N1", "N2", "nobody"):
            archive.writestr(f"{owner}-{ENCLOSED}.pdf", a_contract())
    data = target.getvalue()
    sent = hr.upload(f"{campaign}files/", "files.zip", data, column="工号", protect="on")
    assert sent.status == 302, sent.text
    card = f"{campaign}files/progress/"
    seen = f"nobody-{ENCLOSED}.pdf"
    assert becomes_true(lambda: seen in hr.get(card).text, seconds=30, every=0.3), site.log(
        "worker"
    )


def compared(site: LiveSite, hr: Visitor, campaign: str) -> None:
    """With the month before, whose people it names."""
    page = f"{campaign}comparison/"
    assert hr.post(f"{page}ask/").status == 302
    found = becomes_true(lambda: PERSON in hr.get(page).text, seconds=30, every=0.3)
    assert found, hr.get(page).text


def sent(site: LiveSite) -> bool:
    with site.connect() as database:
        found = database.execute(
            "SELECT count(*) FROM campaigns_delivery WHERE purpose = 'campaign' AND address = ANY(%s) "
            "AND state IN ('accepted', 'refused', 'in_doubt')",
            [[f"{local}@staff.example.com" for local in STAFF]],
        ).fetchone()
    return found == (len(STAFF),)


def opens(message: Accepted) -> None:
    """The text says nothing; both files open with the password alone."""
    assert PAY not in content_of(message)
    files = list(parsed(message).iter_attachments())
    assert len(files) == 2
    for file in files:
        octets = file.get_payload(decode=True)
        assert isinstance(octets, bytes)
        pikepdf.open(io.BytesIO(octets), password=TAIL).close()
        assert PAY.encode() not in octets
        assert ENCLOSED.encode() not in octets


def disputes(site: LiveSite, hr: Visitor, message: Accepted) -> None:
    """An employee without an account: looks, disagrees; HR reads it, and once a page fails."""
    link = re.search(r"https://[^/]+(/slip/\w+)", content_of(message))
    assert link is not None
    page, employee = link[1], Visitor(site.port)
    closed = employee.get(page)
    assert (closed.status, PAY in closed.text) == (200, False)
    assert employee.post(f"{page}/open").status == 302
    shown = employee.get(f"{page}/content").text
    assert "身份证号的后 6 位" in shown
    assert PAY not in shown, "the link alone opens no more than the message did"
    assert employee.post(f"{page}/dispute", text=f"{DISPUTE} {PAY}").status == 302
    with site.connect() as database:
        row = database.execute("SELECT delivery_id FROM campaigns_confirmation").fetchone()
    assert row is not None
    page = f"/deliveries/{row[0]}/"
    assert DISPUTE in hr.get(page).text
    failed = hr.get(page, **{"X-Fail": "1"})
    assert (failed.status, DISPUTE in failed.text) == (500, False)


def answer(maildrop: ScriptedPop3, message: Accepted) -> None:
    """What somebody's program sends back with all of the slip below it; and what nobody recognises."""
    reply = EmailMessage()
    reply["From"], reply["To"] = message.rcpt_to[0], message.mail_from
    reply["Subject"], reply["In-Reply-To"] = "Re: 十二月工资条", str(message.message_id)
    reply.set_content(f"{DISPUTE}\n> {PERSON} {PAY}\n")
    maildrop.messages["uid2"] = reply.as_bytes()
    stranger = EmailMessage()
    stranger["From"], stranger["To"] = "x@elsewhere.example", "bounces@corp.example.com"
    stranger["Subject"] = f"{PERSON} {PAY}"
    stranger.set_content(f"{DISPUTE} {PERSON} {PAY}\n")
    maildrop.messages["uid3"] = stranger.as_bytes()


def collected(site: LiveSite) -> int:
    """A reply and what nobody recognises are recorded, and stay in the mailbox."""
    with site.connect() as database:
        row = database.execute("SELECT count(*) FROM campaigns_maildropmessage").fetchone()
    return int(str(row[0])) if row else 0


TELL = """
from datetime import timedelta
from django.utils import timezone
from campaigns.models import Alert, AlertChannel, Delivery
from campaigns.pipeline import alert_tell, alert_watch, alerts
alert_watch.watch()
Alert.objects.update(tell_at=timezone.now())
alerts.queue_due()
AlertChannel.objects.update(busy_until=None)
for pk in alert_tell.waiting():
    alert_tell.tell(pk)
"""


def told(site: LiveSite, robot: RobotServer) -> str:
    """The alert of what is in doubt, sooner than beat would have it told."""
    said = site.manage("shell", "--no-imports", "-c", TELL)
    assert any("待确认" in text for text in robot.told), (robot.told, said)
    return said + json.dumps(robot.told, ensure_ascii=False)
