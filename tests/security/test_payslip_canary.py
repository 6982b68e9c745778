"""A payslip's content is in the mail and nowhere else (ASVS 14.2.1, 14.2.4, 16.2.5).

One payroll goes the whole way on a live site of real processes, with everything going wrong that may
quote it: a server that repeats the salary in its refusal, a row that cannot be opened, a bounce that
returns the original, pages that fail; the next one with files, pages, alerts (`payslip_files`). Then
every place that keeps anything is searched.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from tests.end_to_end.site import ROOT, LiveSite
from tests.fakes.relay_script import Drop, Rule, Say
from tests.fakes.robot import RobotServer
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.fakes.sheets import payroll
from tests.pipeline.returned_mail import a_bounce
from tests.security import payslip_files
from tests.security.canary import Monitor, content_of, dump_of, hits, tree
from tests.security.visitor import Visitor
from tests.servers.process import becomes_true

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SALARY, NAME = "8888.88", "金丝雀"
SECRET, PASSWORD = "canary-relay-secret", "canary-login-password"
OPENING, WRONG = "canary-opens-the-workbook", "canary-does-not-open-it"
ADDRESS = "canary.person@staff.example.com"
STAFF = ("canary.person", "quoted", "later", "bounced", "broken")
# Where an address is kept in clear by design: the ledger of who got what (docs/architecture.md).
LEDGER = {
    "campaigns_delivery",
    "campaigns_workbookrow",
    "campaigns_feedback",
    "campaigns_suppression",
}


def test_the_search_finds_every_disguise() -> None:
    for place in (
        SALARY.encode(),
        SALARY.encode().hex().encode(),
        base64.b64encode(f"xy{SALARY * 2}".encode()),
        f"GET /?to={quote(ADDRESS)}".encode(),
    ):
        assert hits(place, (SALARY, ADDRESS)), place
    assert not hits(b"8,888.88 and canary", (SALARY, ADDRESS))


@pytest.fixture
def relay() -> Iterator[ScriptedRelay]:
    """Asks for a login, and quotes what it is given."""
    said = f"{NAME} {SALARY} {SECRET}"
    rules = [
        Rule("dot", Say(f"550 5.7.1 Your message says {said}"), "quoted*"),
        Rule("dot", Say(f"451 4.3.0 Later, it says {said}"), "later*", first=1),
        Rule("dot", Drop(), "doubted*", accept=True),
    ]
    options = RelayOptions(accounts={"hr@corp.example.com": SECRET})
    with ScriptedRelay(options, rules) as server:
        yield server


@pytest.fixture
def maildrop() -> Iterator[ScriptedPop3]:
    with ScriptedPop3() as server:
        yield server


@pytest.fixture
def robot() -> Iterator[RobotServer]:
    with RobotServer("wecom") as server:
        yield server


def the_whole_way(
    site: LiveSite, relay: ScriptedRelay, maildrop: ScriptedPop3, robot: RobotServer
) -> Visitor:
    """Upload, read, confirm, set up, preview, test, launch, bounce, result; by HTTP as HR does it."""
    ids = found_company(site, relay.port, maildrop.port, robot)
    hr = Visitor(site.port)
    hr.sign_in("hr@corp.example.com", PASSWORD)

    people = [
        (f"G{n}", f"{NAME}{n}", f"{local}@staff.example.com", "9999.00", SALARY)
        for n, local in enumerate(STAFF)
    ]
    data = protected(payroll(people))
    uploaded = hr.upload("/workbooks/upload/", f"{NAME}.xlsx", data, purpose="payslip")
    assert uploaded.status == 302, uploaded.text
    page = uploaded.location
    unlock(site, hr, page)
    assert becomes_true(lambda: SALARY in hr.get(page).text, seconds=40, every=0.3), site.log(
        "worker"
    )
    # The first reading ended with the question for the password.
    assert hr.post(f"{page}mark/", reading="2", act="leave", row="2").status == 302
    assert hr.post(f"{page}confirm/", reading="2").status == 302
    assert hr.get(f"{page}rows/").status == 200

    number = page.strip("/").rpartition("/")[2]
    made = hr.post(
        "/campaigns/new/",
        kind="payslip",
        name="十一月工资条",
        audience=f"workbook:{number}",
        template=str(ids["template"]),
        relay=str(ids["relay"]),
        from_name="人事部",
        from_address="hr@corp.example.com",
        in_doubt_policy="ask",
        duplicates="both",
    )
    assert made.status == 302, made.text
    campaign = made.location
    assert hr.get(f"{campaign}preflight/").status == 200
    preview = hr.get(f"{campaign}preview/?view=text&q={quote(ADDRESS)}")
    assert SALARY in preview.text, "HR sees it"
    assert hr.get(f"{campaign}preview/?view=text", **{"X-Fail": "1"}).status == 500
    assert SALARY not in hr.get(f"{campaign}preview/?view=text", **{"X-Fail": "1"}).text
    hr.post(f"{campaign}test/")
    assert hr.post(f"{campaign}launch/", when="now").status == 302
    whole = spoil(site, "broken@staff.example.com")

    def ended() -> bool:
        with site.connect() as database:
            found = database.execute(
                "SELECT count(*) FROM campaigns_delivery WHERE purpose = 'campaign' "
                "AND state IN ('accepted', 'refused', 'failed')"
            ).fetchone()
        return found == (len(STAFF),)

    assert becomes_true(ended, seconds=60, every=0.3), site.log("worker")
    spoil(site, "broken@staff.example.com", whole)  # next month is compared with it
    bounce(relay, maildrop)
    assert becomes_true(lambda: not maildrop.messages, seconds=30, every=0.2), site.log("worker")
    for path in (f"{campaign}result/", f"{campaign}deliveries/", "/deliveries/", campaign, "/"):
        assert hr.get(path).status == 200, path
    look_at_deliveries(site, hr)
    take_back(site, hr, campaign)
    return hr


def protected(data: bytes) -> bytes:
    """As Excel saves it with a password (MS-OFFCRYPTO, agile encryption)."""
    target = io.BytesIO()
    OOXMLFile(io.BytesIO(data)).encrypt(OPENING, target)
    return target.getvalue()


def unlock(site: LiveSite, hr: Visitor, page: str) -> None:
    """The wrong password, twice, and the right one."""
    asks = "这个文件有打开密码"
    assert becomes_true(lambda: asks in hr.get(page).text, seconds=40, every=0.3), site.log(
        "worker"
    )
    refused = hr.post(f"{page}unlock/", password=WRONG)
    assert (refused.status, WRONG in refused.text) == (422, False)
    hr.post(f"{page}unlock/", password=WRONG)
    assert hr.post(f"{page}unlock/", password=OPENING).status == 302


def take_back(site: LiveSite, hr: Visitor, campaign: str) -> None:
    """HR's own workbook with the results, made by a worker."""
    assert hr.post(f"{campaign}workbook/make/").status == 302
    file = f"{campaign}workbook/file/"
    assert becomes_true(lambda: hr.get(file).status == 200, seconds=30, every=0.3), site.log(
        "worker"
    )


def found_company(
    site: LiveSite, port: int, mailbox_port: int, robot: RobotServer
) -> dict[str, int]:
    given = {"port": port, "mailbox_port": mailbox_port, "secret": SECRET, "password": PASSWORD}
    given |= {"robot": robot.url, "robot_ca": robot.ca_pem}
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.company", json.dumps(given)],
        cwd=ROOT,
        env=site.env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    made: dict[str, int] = json.loads(done.stdout)
    return made


def spoil(site: LiveSite, address: str, sealed: bytes = b"\0") -> bytes:
    """One row becomes unreadable after the launch: what then fails must not quote the others."""
    with site.connect() as database:
        rows = database.execute(
            "SELECT sealed FROM campaigns_workbookrow WHERE address = %s", [address]
        ).fetchone()
        database.execute(
            "UPDATE campaigns_workbookrow SET sealed = %s WHERE address = %s", [sealed, address]
        )
    assert rows is not None
    return bytes(rows[0])  # type: ignore[arg-type]


def bounce(relay: ScriptedRelay, maildrop: ScriptedPop3) -> None:
    (message,) = (taken for taken in relay.accepted if "bounced@" in taken.rcpt_to[0])
    reply = f"550 5.1.1 {NAME} unknown, {SALARY}"
    report = a_bounce(
        "bounced@staff.example.com",
        to=message.mail_from,
        message_id=message.message_id,
        reply=reply,
        returned=content_of(message),
    )
    maildrop.messages["uid1"] = report


def look_at_deliveries(site: LiveSite, hr: Visitor) -> None:
    with site.connect() as database:
        rows = database.execute("SELECT id, address FROM campaigns_delivery").fetchall()
    shown = "".join(hr.get(f"/deliveries/{pk}/").text for pk, _address in rows)
    assert f"Your message says {NAME} {SALARY}" in shown, "HR reads the reply"


def test_a_salary_is_in_the_mail_and_nowhere_else(
    live_site: LiveSite,
    relay: ScriptedRelay,
    maildrop: ScriptedPop3,
    robot: RobotServer,
    tmp_path: Path,
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    live_site.env |= {
        "DJANGO_SETTINGS_MODULE": "tests.security.failing_settings",
        "TMPDIR": str(temporary),
        "POLL_SECONDS": "1",
        "TICK_SECONDS": "1",
        "LOG_LEVEL": "DEBUG",
    }
    with Monitor(live_site.redis.port) as monitor:
        live_site.spawn("web", "--access-logfile", "-", "--log-level", "debug")
        live_site.spawn("worker", "--loglevel", "DEBUG")
        live_site.spawn("beat")
        untouched = temporary.stat().st_mtime_ns
        hr = the_whole_way(live_site, relay, maildrop, robot)
        said = payslip_files.the_next_month(live_site, hr, relay, maildrop, robot)
        sessions = live_site.manage("shell", "--no-imports", "-c", SESSIONS)
        # Stopped while they still hold what they hold: a queue in Redis is looked at as well.
        live_site.stop()
    received = "".join(content_of(message) for message in relay.accepted)
    assert SALARY in received
    assert NAME in received

    secrets = (*payslip_files.SECRETS, payslip_files.ROBOT, SECRET, PASSWORD, OPENING, WRONG)
    everywhere = (SALARY, NAME, ADDRESS, *secrets)
    for name in ("web", "worker", "beat"):
        assert hits(live_site.log(name).encode(), (SALARY, NAME, *secrets)) == [], name
    assert "GET /campaigns/" in live_site.log("web"), "the access log was on"
    assert "ValueError" in live_site.log("web"), "the forced failure was logged"
    assert hits(monitor.with_bodies(), everywhere) == []
    assert "_auth_user_id" in sessions
    assert hits(sessions.encode(), everywhere) == []
    assert hits("\n".join(hr.jar).encode(), everywhere) == []
    assert hits(said.encode(), everywhere) == [], "an alert and what told it"
    assert hits(tree(live_site.folder, but=temporary), (SALARY, NAME, *secrets)) == []
    assert temporary.stat().st_mtime_ns == untouched, "a file was there for a while"
    check_database(live_site, secrets)


SESSIONS = """
from django.contrib.sessions.models import Session
print([session.get_decoded() for session in Session.objects.all()])
"""


def check_database(site: LiveSite, secrets: tuple[str, ...]) -> None:
    """Every row of every table as COPY writes it."""
    dump = dump_of(site)
    for table in (
        "enclosure",
        "confirmation",
        "comparison",
        "alert",
        "original",
        "returnedworkbook",
    ):
        assert dump[f"campaigns_{table}"], f"{table} holds what was to be searched"
    assert hits(dump["campaigns_delivery"], (ADDRESS,)), "the dump holds what it should"
    assert b"Your message says" not in b"".join(dump.values())
    for table, rows in dump.items():
        assert hits(rows, (SALARY, *secrets)) == [], table
        # The name of an uploaded file is no content of it, but this one was chosen to be found.
        if table != "campaigns_workbook":
            assert hits(rows, (NAME,)) == [], table
        if table not in LEDGER:
            assert hits(rows, (ADDRESS,)) == [], table
