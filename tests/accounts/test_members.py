"""Members: adding, roles, removing, and never a team without an owner."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session

from accounts.membership import LastOwner, change_roles, one_time_password
from accounts.models import Membership, Role, User
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def owner(scene):
    return scene.user(Role.OWNER)


@pytest.fixture
def client(scene, owner):
    return scene.client(user=owner)


def roles_of(scene, user):
    rows = Membership.objects.filter(team=scene.team, user=user)
    return set(rows.values_list("role", flat=True))


def add(client, **changes):
    given = {"email": "new@corp.example", "name": "新人", "roles": ["viewer"], **changes}
    return client.post("/accounts/members/add/", given)


def test_the_list_shows_each_member_once_with_all_roles(scene, client, owner):
    user = scene.user(Role.HR, Role.VIEWER)
    page = client.get("/accounts/members/").content.decode()
    assert page.count(f"/accounts/members/{user.pk}/") == 2
    assert "人事" in page
    assert page.index(owner.email) < page.index(user.email)


@pytest.mark.parametrize("members", [1, 8])
def test_the_list_costs_the_same_for_many(scene, client, members, django_assert_num_queries):
    for _ in range(members):
        scene.user(Role.HR, Role.VIEWER)
    with django_assert_num_queries(6):
        client.get("/accounts/members/")


def test_a_new_person_gets_a_password_that_is_shown_once(scene, client):
    answer = add(client)
    password = re.search(r"\b(?:\w{4}-){3}\w{4}\b", answer.content.decode())[0]
    user = User.objects.get(email="new@corp.example")
    assert user.check_password(password)
    assert roles_of(scene, user) == {"viewer"}
    assert "no-store" in answer["Cache-Control"]
    assert password not in client.get("/accounts/members/").content.decode()
    assert all(password not in str(session.get_decoded()) for session in Session.objects.all())
    assert password not in client.cookies.output()


def test_an_existing_user_keeps_the_password_and_the_name(scene, client):
    known = User.objects.create_user("new@corp.example", "old password 1", name="旧名")
    answer = add(client, email="NEW@corp.example")
    assert answer.status_code == 302
    known.refresh_from_db()
    assert known.check_password("old password 1")
    assert (known.name, roles_of(scene, known)) == ("旧名", {"viewer"})


@pytest.mark.parametrize("changes", [{"email": "nobody"}, {"roles": []}, {"roles": ["emperor"]}])
def test_what_makes_no_member_is_refused(client, changes):
    assert add(client, **changes).status_code == 422
    assert not User.objects.filter(email="new@corp.example").exists()


def test_a_member_is_not_added_twice(client, owner):
    assert add(client, email=owner.email.upper()).status_code == 422


def test_an_owner_is_no_hr_and_may_say_so_explicitly(scene, client, owner):
    assert "看不到工资条" in client.get("/accounts/members/").content.decode()
    client.post(f"/accounts/members/{owner.pk}/", {"roles": ["owner", "hr"]})
    assert roles_of(scene, owner) == {"owner", "hr"}


def test_roles_are_exactly_those_that_were_ticked(scene, client):
    user = scene.user(Role.HR, Role.VIEWER)
    client.post(f"/accounts/members/{user.pk}/", {"roles": ["marketer", "viewer"]})
    assert roles_of(scene, user) == {"marketer", "viewer"}


def test_the_last_owner_stays(scene, client, owner):
    client.post(f"/accounts/members/{owner.pk}/remove/")
    client.post(f"/accounts/members/{owner.pk}/", {"roles": ["viewer"]})
    assert roles_of(scene, owner) == {"owner"}


def test_an_owner_who_cannot_sign_in_does_not_count(scene, owner):
    scene.user(Role.OWNER, is_active=False)
    with pytest.raises(LastOwner):
        change_roles(scene.team, owner, [])


def test_a_member_is_removed_and_another_owner_may_go(scene, client, owner):
    user, second = scene.user(Role.HR), scene.user(Role.OWNER)
    client.post(f"/accounts/members/{user.pk}/remove/")
    client.post(f"/accounts/members/{second.pk}/remove/")
    assert roles_of(scene, user) == roles_of(scene, second) == set()
    assert roles_of(scene, owner) == {"owner"}


def test_a_removed_member_is_out_at_once(scene, client):
    user = scene.user(Role.VIEWER)
    theirs = scene.client(user=user)
    assert theirs.get("/suppressions/").status_code == 200
    client.post(f"/accounts/members/{user.pk}/remove/")
    answer = theirs.get("/suppressions/")
    assert answer.status_code == 403
    assert "不属于任何团队" in answer.content.decode()


def test_people_of_other_teams_are_not_there(client):
    foreign = Scene().user(Role.OWNER)
    assert client.get(f"/accounts/members/{foreign.pk}/").status_code == 404
    assert client.post(f"/accounts/members/{foreign.pk}/", {"roles": ["hr"]}).status_code == 404
    assert client.post(f"/accounts/members/{foreign.pk}/remove/").status_code == 404


@pytest.mark.parametrize("role", [Role.HR, Role.MARKETER, Role.MAIL_ADMIN, Role.VIEWER])
def test_others_have_no_business_here(scene, owner, role):
    client = scene.client(role)
    assert client.get("/accounts/members/").status_code == 403
    assert add(client).status_code == 403
    assert client.post(f"/accounts/members/{owner.pk}/", {"roles": ["hr"]}).status_code == 403
    assert client.post(f"/accounts/members/{owner.pk}/remove/").status_code == 403


def test_looking_changes_nothing(client, owner):
    assert client.get("/accounts/members/add/").status_code == 405
    assert client.get(f"/accounts/members/{owner.pk}/remove/").status_code == 405


def test_one_time_passwords_differ_and_have_no_mistakable_signs():
    made = {one_time_password() for _ in range(50)}
    assert len(made) == 50
    assert not set("".join(made)) & set("0O1lIi")
