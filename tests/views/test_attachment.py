"""The settings of a payslip's file, and the file itself in the preview, for those who may read it."""

import pytest

from accounts.models import Role
from campaigns.models import Campaign
from tests.documents.reading import pdf_text
from tests.views.scene import Scene, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

COLUMNS = ["姓名", "邮箱", "手机", "实发"]
ROWS = [
    ("王小明", "wang@corp.example", "138 0013 8000", "9533.50"),
    ("李雷", "lilei@corp.example", "", "8888.88"),
]


def payslips(scene, hr, **fields):
    book = scene.workbook(hr, rows=ROWS, columns=COLUMNS)
    given = {"attachment": "pdf", "password_column": "手机", "password_tail": 4, **fields}
    return scene.payslips(hr, workbook=book, template=scene.template(html="<p>{{ password_hint }}</p>"), **given)  # fmt: skip


def posted(campaign, **changes):
    values = {
        "kind": "payslip", "name": campaign.name, "audience": f"workbook:{campaign.workbook_id}",
        "template": campaign.template_id, "relay": campaign.relay_id, "from_name": "",
        "from_address": campaign.from_address, "reply_to": "", "duplicates": "",
        "in_doubt_policy": "ask", "attachment": "pdf", "password_column": "手机",
        "password_tail": "6", "password_hint": "",
    }  # fmt: skip
    return values | changes


def saved(campaign):
    row = Campaign.objects.get(pk=campaign.pk)
    return row.attachment, row.password_column, row.password_tail, row.password_hint


def test_the_settings_are_kept_and_shown(scene, hr):
    campaign, client = payslips(scene, hr), scene.client(user=hr)
    url = f"/campaigns/{campaign.pk}/edit/"
    page = client.get(url).content.decode()
    assert '<option value="手机">' in page
    response = client.post(url, posted(campaign, password_hint="手机尾号六位"))
    assert response.status_code == 302
    assert saved(campaign) == ("pdf", "手机", 6, "手机尾号六位")
    assert "密码：手机的后 6 位" in client.get(f"/campaigns/{campaign.pk}/").content.decode()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password_column": ""}, "附件要有密码"),
        ({"password_column": "身份证"}, "它的列有：姓名、邮箱、手机、实发"),
        ({"password_tail": "3"}, "至少取 4 位"),
        ({"password_tail": "19"}, "18"),
        ({"password_hint": "后四位\r\nBcc: x@y.example"}, "不能有换行"),
        ({"attachment": "exe"}, "exe"),
    ],
)
def test_it_rejects_a_password_rule_that_cannot_work(scene, hr, wrong, says):
    campaign = payslips(scene, hr)
    before = saved(campaign)
    page = scene.client(user=hr).post(f"/campaigns/{campaign.pk}/edit/", posted(campaign, **wrong))
    assert page.status_code == 422
    assert says in page.content.decode()
    assert saved(campaign) == before


def test_without_an_attachment_no_password_is_asked_for(scene, hr):
    campaign = payslips(scene, hr)
    values = posted(campaign, attachment="", password_column="", password_tail="")
    assert scene.client(user=hr).post(f"/campaigns/{campaign.pk}/edit/", values).status_code == 302
    assert saved(campaign) == ("", "", 6, "")


def test_a_launched_campaign_keeps_its_rule(scene, hr):
    campaign = launched(payslips(scene, hr))
    scene.client(user=hr).post(f"/campaigns/{campaign.pk}/edit/", posted(campaign, attachment=""))
    assert saved(campaign)[0] == "pdf"


def test_next_month_begins_with_this_months_rule(scene, hr):
    payslips(scene, hr, password_hint="手机尾号")
    page = scene.client(user=hr).get("/campaigns/new/?kind=payslip").content.decode()
    assert 'value="手机"' in page
    assert 'value="手机尾号"' in page


def test_a_newsletter_has_no_such_settings(scene):
    page = scene.client(Role.MARKETER).get("/campaigns/new/?kind=newsletter").content.decode()
    assert "password_column" not in page


class TestThePreview:
    def address(self, campaign, number=2, file="0"):
        row = campaign.workbook.rows.get(number=number)
        return f"/campaigns/{campaign.pk}/preview/file/?at={row.pk}&file={file}"

    def test_it_offers_the_very_file(self, scene, hr):
        campaign, client = payslips(scene, hr), scene.client(user=hr)
        row = campaign.workbook.rows.get(number=2)
        page = client.get(f"/campaigns/{campaign.pk}/preview/?at={row.pk}").content.decode()
        assert f'href="/campaigns/{campaign.pk}/preview/file/?at={row.pk}&amp;file=0"' in page
        response = client.get(self.address(campaign))
        assert response["Content-Type"] == "application/pdf"
        assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''")
        assert "no-store" in response["Cache-Control"]
        assert "9533.50" in pdf_text(response.content, "8000")
        assert "9533.50" not in page

    def test_a_row_without_a_password_says_which_cell(self, scene, hr):
        campaign, client = payslips(scene, hr), scene.client(user=hr)
        row = campaign.workbook.rows.get(number=3)
        page = client.get(f"/campaigns/{campaign.pk}/preview/?at={row.pk}").content.decode()
        assert "11月工资!C3" in page
        assert client.get(self.address(campaign, 3)).status_code == 404

    @pytest.mark.parametrize("file", ["1", "-1", "x", "٣", "9" * 5000, "0001", ""])
    def test_there_is_no_other_file(self, scene, hr, file):
        campaign = payslips(scene, hr)
        assert scene.client(user=hr).get(self.address(campaign, file=file)).status_code == 404

    def test_nobody_else_gets_it(self, scene, hr):
        campaign = payslips(scene, hr)
        for other in (scene.client(Role.HR), scene.client(Role.OWNER)):
            assert other.get(self.address(campaign)).status_code == 403
        superuser = scene.user(Role.OWNER, is_superuser=True)
        assert scene.client(user=superuser).get(self.address(campaign)).status_code == 403
        assert Scene().client(Role.HR).get(self.address(campaign)).status_code == 404
