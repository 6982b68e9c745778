"""The page on which a person decides about suppressions above the hour's cap."""

import pytest

from accounts.models import Role
from campaigns.models import HeldSuppression, Suppression
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db


def held(scene, number, domain="corp.example", reason="refused"):
    HeldSuppression.objects.bulk_create(
        HeldSuppression(
            team=scene.team, address=f"p{at}@{domain}", address_key=f"p{at}@{domain}", reason=reason
        )
        for at in range(number)
    )


def test_groups_show_the_largest_first_and_the_list_leads_there(scene):
    held(scene, 2, "few.example")
    held(scene, 5)
    client = scene.client(Role.MARKETER)
    page = client.get("/suppressions/held/").content.decode()
    assert page.index("corp.example") < page.index("few.example")
    assert "还有 2 个" in page
    assert "有 7 个地址等待决定" in client.get("/suppressions/").content.decode()


@pytest.mark.parametrize(("act", "suppressed"), [("accept", 5), ("drop", 0)])
def test_a_group_is_decided_and_the_other_stays(scene, act, suppressed):
    held(scene, 2, "few.example")
    held(scene, 5)
    form = {"group": "refused|corp.example", "act": act}
    scene.client(Role.MAIL_ADMIN).post("/suppressions/held/decide/", form)
    assert Suppression.objects.count() == suppressed
    assert HeldSuppression.objects.count() == 2


def test_another_teams_are_neither_shown_nor_decided(scene):
    held(Scene(), 3, "theirs.example")
    client = scene.client(Role.MARKETER)
    assert "theirs.example" not in client.get("/suppressions/held/").content.decode()
    client.post("/suppressions/held/decide/", {"group": "refused|theirs.example", "act": "accept"})
    assert HeldSuppression.objects.count() == 3


def test_a_viewer_sees_and_does_not_decide(scene):
    held(scene, 1)
    client = scene.client(Role.VIEWER)
    assert 'name="act"' not in client.get("/suppressions/held/").content.decode()
    form = {"group": "refused|corp.example", "act": "accept"}
    assert client.post("/suppressions/held/decide/", form).status_code == 403


@pytest.mark.parametrize("number", [1, 60])
def test_the_page_costs_the_same_for_many(scene, number, django_assert_max_num_queries):
    held(scene, number)
    client = scene.client(Role.MARKETER)
    with django_assert_max_num_queries(8):
        client.get("/suppressions/held/")
