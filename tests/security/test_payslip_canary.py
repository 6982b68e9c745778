"""A payslip's content is in the mail and nowhere else (ASVS 14.2.1, 14.2.4, 16.2.5).

One payroll goes the whole way on a live site of real processes, with everything going wrong that may
quote it: a server that repeats the salary in its refusal, a row that cannot be opened, a bounce that
returns the original, pages that fail. Then every place that keeps anything is searched.
"""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import io
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from tests.end_to_end.site import ROOT, LiveSite
from tests.fakes.relay_script import Rule, Say
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.fakes.scripted_relay import Accepted, RelayOptions, ScriptedRelay
from tests.fakes.sheets import payroll
from tests.pipeline.returned_mail import a_bounce
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


@dataclass
class Monitor:
    """Everything that Redis is asked to do, as its MONITOR tells it."""

    port: int
    seen: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Monitor:
        self.line = socket.create_connection(("127.0.0.1", self.port))
        self.line.sendall(b"MONITOR\r\n")
        assert self.line.recv(5) == b"+OK\r\n"
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)
        self.reader.join(5)
        self.line.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while octets := self.line.recv(65536):
                self.seen += octets

    def with_bodies(self) -> bytes:
        """Also what Celery wraps into base64: the arguments of its tasks."""
        bodies = re.findall(rb'body[\\]*": [\\]*"([A-Za-z0-9+/=]+)', bytes(self.seen))
        assert bodies, "no task was ever seen"
        opened = b"\n".join(base64.b64decode(body) for body in bodies)
        assert re.search(rb"\[\[\d+\], \{\}", opened), "tasks carry ids"
        return bytes(self.seen) + opened


def disguises(canary: str) -> Iterator[bytes]:
    """The ways in which a text may lie somewhere: plain, in an address, hex (bytea), base64, JSON."""
    octets = canary.encode()
    yield octets
    yield quote(canary).encode()
    yield octets.hex().encode()
    yield json.dumps(canary).strip('"').encode()
    yield "".join(f"\\x{octet:02x}" for octet in octets).encode()
    yield canary.encode("utf-16-le").hex().encode()
    for shift in range(3):
        # The letters of base64 that depend on the canary alone, wherever it begins.
        whole = base64.b64encode(b"\0" * shift + octets)
        first = (shift * 8 + 5) // 6
        last = (shift + len(octets)) * 8 // 6
        if last - first >= 8:
            yield whole[first:last]


def hits(place: bytes, canaries: tuple[str, ...]) -> list[str]:
    return [
        f"{canary!r} as {found[:24]!r}"
        for canary in canaries
        for found in disguises(canary)
        if found in place
    ]


def test_the_search_finds_every_disguise() -> None:
    for place in (
        SALARY.encode(),
        SALARY.encode().hex().encode(),
        base64.b64encode(f"xy{SALARY * 2}".encode()),
        f"GET /?to={quote(ADDRESS)}".encode(),
    ):
        assert hits(place, (SALARY, ADDRESS)), place
    assert not hits(b"8,888.88 and canary", (SALARY, ADDRESS))


def content_of(message: Accepted) -> str:
    parsed = email.message_from_bytes(message.content, policy=email.policy.default)
    return "".join(part.get_content() for part in parsed.walk() if not part.is_multipart())


@pytest.fixture
def relay() -> Iterator[ScriptedRelay]:
    """Asks for a login, and quotes what it is given."""
    said = f"{NAME} {SALARY} {SECRET}"
    rules = [
        Rule("dot", Say(f"550 5.7.1 Your message says {said}"), "quoted*"),
        Rule("dot", Say(f"451 4.3.0 Later, it says {said}"), "later*", first=1),
    ]
    options = RelayOptions(accounts={"hr@corp.example.com": SECRET})
    with ScriptedRelay(options, rules) as server:
        yield server


@pytest.fixture
def maildrop() -> Iterator[ScriptedPop3]:
    with ScriptedPop3() as server:
        yield server


def the_whole_way(site: LiveSite, relay: ScriptedRelay, maildrop: ScriptedPop3) -> Visitor:
    """Upload, read, confirm, set up, preview, test, launch, bounce, result; by HTTP as HR does it."""
    ids = found_company(site, relay.port, maildrop.port)
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
    spoil(site, "broken@staff.example.com")

    def ended() -> bool:
        with site.connect() as database:
            found = database.execute(
                "SELECT count(*) FROM campaigns_delivery WHERE purpose = 'campaign' "
                "AND state IN ('accepted', 'refused', 'failed')"
            ).fetchone()
        return found == (len(STAFF),)

    assert becomes_true(ended, seconds=60, every=0.3), site.log("worker")
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


def found_company(site: LiveSite, port: int, mailbox_port: int) -> dict[str, int]:
    given = {"port": port, "mailbox_port": mailbox_port, "secret": SECRET, "password": PASSWORD}
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


def spoil(site: LiveSite, address: str) -> None:
    """One row becomes unreadable after the launch: what then fails must not quote the others."""
    with site.connect() as database:
        database.execute(
            "UPDATE campaigns_workbookrow SET sealed = '\\x00' WHERE address = %s", [address]
        )


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
    live_site: LiveSite, relay: ScriptedRelay, maildrop: ScriptedPop3, tmp_path: Path
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
        hr = the_whole_way(live_site, relay, maildrop)
        sessions = live_site.manage("shell", "--no-imports", "-c", SESSIONS)
        # Stopped while they still hold what they hold: a queue in Redis is looked at as well.
        live_site.stop()
    received = "".join(content_of(message) for message in relay.accepted)
    assert SALARY in received
    assert NAME in received

    secrets = (SECRET, PASSWORD, OPENING, WRONG)
    everywhere = (SALARY, NAME, ADDRESS, *secrets)
    for name in ("web", "worker", "beat"):
        assert hits(live_site.log(name).encode(), (SALARY, NAME, *secrets)) == [], name
    assert "GET /campaigns/" in live_site.log("web"), "the access log was on"
    assert "ValueError" in live_site.log("web"), "the forced failure was logged"
    assert hits(monitor.with_bodies(), everywhere) == []
    assert "_auth_user_id" in sessions
    assert hits(sessions.encode(), everywhere) == []
    assert hits("\n".join(hr.jar).encode(), everywhere) == []
    assert hits(tree(live_site.folder, but=temporary), (SALARY, NAME, *secrets)) == []
    assert temporary.stat().st_mtime_ns == untouched, "a file was there for a while"
    check_database(live_site)


SESSIONS = """
from django.contrib.sessions.models import Session
print([session.get_decoded() for session in Session.objects.all()])
"""


def tree(folder: Path, *, but: Path | None = None) -> bytes:
    """Every file below: VAR_DIR, logs, celery's schedule, what was left in the temporary folder."""
    found = b""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (but is None or but not in path.parents):
            found += path.name.encode() + path.read_bytes()
    return found


def check_database(site: LiveSite) -> None:
    """Every row of every table as COPY writes it."""
    with site.connect() as database:
        tables = database.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        dump = {}
        for (table,) in tables:
            with database.cursor().copy(f'COPY "{table}" TO STDOUT') as rows:  # type: ignore[arg-type]
                dump[str(table)] = b"".join(bytes(row) for row in rows)
    assert hits(dump["campaigns_delivery"], (ADDRESS,)), "the dump holds what it should"
    assert b"Your message says" not in b"".join(dump.values())
    for table, rows in dump.items():
        assert hits(rows, (SALARY, SECRET, PASSWORD, OPENING, WRONG)) == [], table
        # The name of an uploaded file is no content of it, but this one was chosen to be found.
        if table != "campaigns_workbook":
            assert hits(rows, (NAME,)) == [], table
        if table not in LEDGER:
            assert hits(rows, (ADDRESS,)) == [], table
