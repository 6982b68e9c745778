"""The inbox page: what it shows, to whom, and what hostile mail can do in it: nothing."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from accounts.models import Membership, SigningKey, Team, User
from campaigns.mailer.signing import generate_rsa
from campaigns.sandbox.answers import Answerable, non_delivery_report
from campaigns.sandbox.store import MailStore
from campaigns.sandbox.views import PAGE_SIZE

from . import urls  # before settings.SANDBOX changes: config.urls looks at it once
from .conftest import SENDER, message

pytestmark = pytest.mark.django_db

HTML = b"""\
From: =?utf-8?b?5bygIOS4iQ==?= <hr@pay.example>\r
To: li@example.cn\r
Subject: =?utf-8?b?5bel6LWE5p2h?= <b>x</b>\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=gb18030\r
Content-Transfer-Encoding: 8bit\r
\r
\xb9\xa4\xd7\xca <script>text()</script>\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>8888.88</p><script>alert(1)</script><img src=http://tracker.example/x>\r
--b--\r
"""


@pytest.fixture(autouse=True)
def site(settings, tmp_path):
    settings.SANDBOX = True
    settings.VAR_DIR = tmp_path
    settings.ROOT_URLCONF = urls.__name__


@pytest.fixture
def store(tmp_path):
    store = MailStore(tmp_path / "sandbox")
    yield store
    store.close()


@pytest.fixture
def team():
    return Team.objects.create(name="演示")


@pytest.fixture
def client(team):
    user = User.objects.create(email="hr@pay.example")
    Membership.objects.create(team=team, user=user, role="hr")
    client = Client()
    client.force_login(user)
    return client


def add(store, raw=HTML, to="li@example.cn", **more):
    return store.add(raw, mail_from=SENDER, rcpt_to=[to], **more)


def text_of(response, status=200):
    assert response.status_code == status
    return response.content.decode()


def test_an_empty_inbox_says_so_and_explains_the_rules(client):
    page = text_of(client.get("/sandbox/"))
    assert "还没有邮件" in page
    for prefix in ("refuse-…", "defer-…", "bounce-…", "away-…", "stall-…"):
        assert prefix in page


def test_the_newest_message_comes_first(client, store):
    for number in range(3):
        add(store, message(), to=f"p{number}@example.cn")
    page = text_of(client.get("/sandbox/"))
    assert page.index("p2@") < page.index("p1@") < page.index("p0@")
    assert "工资条" in page


def test_a_page_holds_so_many_and_leads_to_the_next(client, store):
    for number in range(PAGE_SIZE + 1):
        add(store, message(), to=f"p{number:03d}@example.cn")
    assert "p000@" not in text_of(client.get("/sandbox/"))
    second = text_of(client.get("/sandbox/?page=2"))
    assert "p000@" in second
    assert "p001@" not in second
    assert text_of(client.get("/sandbox/?page=nonsense"))


@pytest.mark.parametrize("query", ["LI@", "工资条", "张 三", "bounce+17"])
def test_search_finds_by_address_subject_and_author(client, store, query):
    add(store)
    add(store, b"Subject: other\r\n\r\n", to="wang@example.cn")
    store.add(b"Subject: other\r\n\r\n", mail_from="x@y.test", rcpt_to=["zhao@example.cn"])
    page = text_of(client.get("/sandbox/", {"q": query}))
    assert "li@example.cn" in page
    assert "zhao@example.cn" not in page


def test_a_search_without_a_hit_says_so(client, store):
    add(store)
    assert "没有找到邮件" in text_of(client.get("/sandbox/", {"q": "nobody"}))


def test_what_came_back_can_be_seen_alone(client, store):
    add(store, to="taken@example.cn")
    add(store, to="back@example.cn", returned=True)
    page = text_of(client.get("/sandbox/?kind=returned"))
    assert "back@example.cn" in page
    assert "taken@example.cn" not in page
    assert "back@example.cn" not in text_of(client.get("/sandbox/?kind=arrived"))


def test_one_message_shows_its_envelope_and_what_misbehaved(client, store):
    kept = add(store, to="bounce-li@example.cn", user="sandbox")
    page = text_of(client.get(f"/sandbox/{kept.seq}/"))
    for shown in ("bounce-li@example.cn", SENDER, "bounce-…", "以 sandbox 登录提交"):
        assert shown in page


def test_the_html_of_a_mail_is_never_in_our_page(client, store):
    kept = add(store)
    for view in ("html", "text", "headers", "source"):
        page = text_of(client.get(f"/sandbox/{kept.seq}/?view={view}"))
        assert "<script>" not in page
        assert "<b>x</b>" not in page
        assert "<img" not in page
    assert f'sandbox referrerpolicy="no-referrer" src="/sandbox/{kept.seq}/html"' in text_of(
        client.get(f"/sandbox/{kept.seq}/")
    )


def test_the_frame_has_neither_scripts_nor_origin_nor_network(client, store):
    response = client.get(f"/sandbox/{add(store).seq}/html")
    assert "<p>8888.88</p>" in text_of(response)
    policy = response["Content-Security-Policy"]
    directives = {d.split()[0]: d.split()[1:] for d in policy.split("; ")}
    assert directives["sandbox"] == []
    assert directives["default-src"] == ["'none'"]
    assert directives["img-src"] == ["data:"]
    assert "script-src" not in directives
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_text_headers_and_source_are_shown_decoded_and_escaped(client, store):
    kept = add(store)
    assert "工资 &lt;script&gt;" in text_of(client.get(f"/sandbox/{kept.seq}/?view=text"))
    assert "张 三 &lt;hr@pay.example&gt;" in text_of(
        client.get(f"/sandbox/{kept.seq}/?view=headers")
    )
    assert "=?utf-8?b?5bel6LWE5p2h?=" in text_of(client.get(f"/sandbox/{kept.seq}/?view=source"))


def test_a_bounce_is_shown_by_its_own_words_not_by_the_mail_that_it_encloses(client, store):
    original = Answerable(HTML, SENDER, datetime.now(UTC))
    report = non_delivery_report(original, "bounce-li@x.test", at=datetime.now(UTC))
    kept = add(store, report, to=SENDER, returned=True)
    page = text_of(client.get(f"/sandbox/{kept.seq}/"))
    assert "Recipient address rejected" in page
    assert "message/delivery-status, message/rfc822" in page
    assert "<iframe" not in page


def test_a_mail_without_html_is_shown_as_text(client, store):
    kept = add(store, message())
    page = text_of(client.get(f"/sandbox/{kept.seq}/?view=html"))
    assert "..two dots" in page
    assert "<iframe" not in page
    assert client.get(f"/sandbox/{kept.seq}/html").status_code == 404


def test_the_source_is_downloaded_byte_for_byte(client, store):
    response = client.get(f"/sandbox/{add(store).seq}/source")
    assert response.content == HTML
    assert response["Content-Disposition"] == 'attachment; filename="00000001.eml"'
    assert response["Content-Type"] == "message/rfc822"


def test_the_verdict_is_made_with_the_teams_key(client, store, team):
    import dkim

    private, public = generate_rsa()
    signed = dkim.sign(HTML, b"s1", b"pay.example", private.encode()) + HTML
    kept = add(store, signed)
    assert "找不到这个域名和选择器的公钥" in text_of(client.get(f"/sandbox/{kept.seq}/"))
    SigningKey.objects.create(
        team=team, domain="pay.example", selector="s1", private_key=private, public_key=public
    )
    page = text_of(client.get(f"/sandbox/{kept.seq}/"))
    assert "签名正确" in page
    assert "d=pay.example s=s1" in page
    assert "邮件没有签名" in text_of(client.get(f"/sandbox/{add(store).seq}/"))


@pytest.mark.parametrize("path", ["", "1/", "1/html", "1/source"])
def test_nobody_sees_it_without_signing_in_or_a_team_or_the_sandbox(client, store, settings, path):
    add(store)
    url = f"/sandbox/{path}"
    assert client.get(url).status_code == 200
    assert "no-store" in client.get(url)["Cache-Control"]
    assert client.post(url).status_code == 405
    assert Client().get(url).status_code == 302
    outsider = Client()
    outsider.force_login(User.objects.create(email="out@x.test"))
    assert outsider.get(url).status_code == 403
    settings.SANDBOX = False
    assert client.get(url).status_code == 404


def test_a_message_that_is_not_there_is_not_found(client, store):
    kept = add(store)
    store.path(kept).unlink()
    for seq in (kept.seq, 99):
        for path in ("", "html", "source"):
            assert client.get(f"/sandbox/{seq}/{path}").status_code == 404
    assert text_of(client.get("/sandbox/?q=li@"))


NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000)
)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"\xff\xfe\x00\x01",
        b"Subject: =?utf-8?b?x?=\r\nFrom: =?no-such?q?x?=\r\n\r\nx",
        b"Subject: \xb9\xa4\r\n\r\nx",
        b"Content-Type: text/html; charset=no-such\r\n\r\n<p>x",
        b"Content-Type: text/plain; charset=utf-7\r\n\r\n+ADw-script+AD4-",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"Content-Type: text/\xff\r\nContent-Disposition: attachment; filename*=x'y'%FF\r\n\r\nx",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx",
        b"DKIM-Signature: v=1\r\n" * 50 + b"\r\n",
        NESTED,
    ],
    ids=range(12),
)
def test_hostile_mail_is_shown_somehow(client, store, raw):
    kept = add(store, raw)
    text_of(client.get("/sandbox/?q=example"))
    for view in ("html", "text", "headers", "source"):
        page = text_of(client.get(f"/sandbox/{kept.seq}/?view={view}"))
        assert "<script>" not in page
    assert client.get(f"/sandbox/{kept.seq}/source").content == raw
