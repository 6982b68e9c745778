"""Pages on what came back: the unrecognised, a message's source, and the rules that a person makes of it."""

from __future__ import annotations

import pytest

from accounts.models import Role
from campaigns.models import BounceRule, Original
from campaigns.pipeline import bounce_rules, originals
from campaigns.pipeline.recording import Fetched, Source, record
from tests.pipeline import returned_mail as mail
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script> 此信箱已不再使用"


def kept(scene: Scene, *texts: str) -> list[Original]:
    mailbox = mail.a_mailbox(scene.team, exclusive=True, name=f"退信{Original.objects.count()}")
    for number, text in enumerate(texts):
        raw = mail.a_letter(text)
        record(mailbox, str(number), bounce_rules.understand(Source.of(mailbox), raw), Fetched(raw))
    return list(Original.objects.filter(team=scene.team).order_by("pk"))


def test_a_source_is_text_and_never_rendered(scene):
    (one,) = kept(scene, HOSTILE)
    page = scene.client(Role.MAIL_ADMIN).get(f"/originals/{one.pk}/")
    assert "&lt;script&gt;alert(1)" in page.content.decode()
    assert "<script>alert" not in page.content.decode()
    assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize("number", [1, 12])
def test_the_list_costs_the_same_for_many(scene, number, django_assert_num_queries):
    kept(scene, *(f"第 {each} 封" for each in range(number)))
    client = scene.client(Role.MAIL_ADMIN)
    with django_assert_num_queries(7):
        page = client.get("/unrecognised/").content.decode()
    assert page.count("Dinner") == number


def test_what_may_quote_a_payslip_is_locked_and_its_source_refused(scene):
    hr = scene.user(Role.HR)
    scene.payslips(hr, state="running")
    (one,) = kept(scene, HOSTILE)
    assert one.maybe_payslip
    client = scene.client(Role.MAIL_ADMIN)
    page = client.get("/unrecognised/").content.decode()
    assert "可能引用了工资条" in page
    assert "不再使用" not in page
    assert client.get(f"/originals/{one.pk}/").status_code == 403
    assert "不再使用" not in client.get(f"/phrases/new/?original={one.pk}").content.decode()
    assert scene.client(user=hr).get(f"/originals/{one.pk}/").status_code == 200


def test_a_rule_is_saved_only_after_its_matches_were_seen_and_then_applied(scene):
    kept(scene, HOSTILE, "别的事")
    client = scene.client(Role.MAIL_ADMIN)
    form = {"phrase": "已不再使用", "meaning": "ignore", "apply_too": "on", "save": "1"}
    unseen = client.post("/phrases/new/", form)
    assert not BounceRule.objects.exists()
    assert unseen.context["preview"]["number"] == 1
    client.post("/phrases/new/", form | {"seen": unseen.context["fingerprint"]})
    rule = BounceRule.objects.get()
    bounce_rules.apply(rule.pk)
    verdicts = originals.rows(scene.team.pk).values_list("verdict", flat=True)
    assert sorted(verdicts) == ["ignored", "ordinary"]
    assert "命中 1 封" in client.get("/phrases/").content.decode()


@pytest.mark.parametrize("phrase", ["", "*", "ab", "一", "*".join("abcdefghijk")])
def test_a_phrase_that_would_catch_everything_or_nothing_is_refused(scene, phrase):
    form = {"phrase": phrase, "meaning": "hard", "save": "1", "seen": "x"}
    assert scene.client(Role.MAIL_ADMIN).post("/phrases/new/", form).status_code == 422
    assert not BounceRule.objects.exists()


def test_another_teams_message_and_rule_are_not_there(scene):
    (foreign,) = kept(Scene(), HOSTILE)
    rule = BounceRule.objects.create(team=foreign.team, phrase="已不再使用", meaning="hard")
    client = scene.client(Role.MAIL_ADMIN)
    assert client.get(f"/originals/{foreign.pk}/").status_code == 404
    assert client.get(f"/phrases/new/?original={foreign.pk}").status_code == 404
    assert client.get(f"/phrases/{rule.pk}/").status_code == 404
    for act in ("apply", "enable", "disable", "delete"):
        assert client.post(f"/phrases/{rule.pk}/{act}/").status_code == 404
