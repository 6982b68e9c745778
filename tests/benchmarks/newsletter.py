"""What is sent in the benchmarks: a personalised newsletter in Chinese, about 10 kB on the wire."""

from __future__ import annotations

SUBJECT = "{{ 姓名 }}，{{ 城市 }}门店十一月会员专享：{{ 积分 }} 积分等您使用"

_PARAGRAPH = (
    "感谢您一直以来的支持。本月起，我们在全国门店推出会员专享服务，您可以凭手机号在任意门店查询积分、"
    "兑换礼品并预约工程师上门。以下内容根据您的会员等级与所在城市整理，如与门店公示不一致，以门店为准。"
)
_CARD = (
    '<table width="100%" cellpadding="0" cellspacing="0"><tr><td style="padding:12px 20px;'
    'border-bottom:1px solid #e5e5e5"><h3>第{number}项 {{{{ 城市 }}}}门店服务</h3><p>{text}</p>'
    "</td></tr></table>"
)

HTML = (
    "<html><head><style>h3{color:#b03a2e;font-size:16px;margin:0 0 8px}"
    "p{font-size:14px;line-height:1.7;margin:0}</style></head><body>"
    "<p>尊敬的 {{ 姓名 }}（{{ 等级 }}）：</p><p>您在{{ 城市 }}的积分为 {{ 积分 }}，"
    "其中 {{ 到期积分 }} 积分将于 {{ 到期日 }} 到期，专属顾问 {{ 顾问 }}。</p>"
    + "".join(_CARD.format(number=number, text=_PARAGRAPH) for number in range(1, 10))
    + '<p>会员编号 {{ 编号 }}。<a href="{{ unsubscribe_url }}">退订</a></p></body></html>'
)

TEXT = (
    "尊敬的 {{ 姓名 }}（{{ 等级 }}）：\n\n您在{{ 城市 }}的积分为 {{ 积分 }}，其中 {{ 到期积分 }} 积分将于"
    " {{ 到期日 }} 到期，专属顾问 {{ 顾问 }}。\n\n"
    + f"{_PARAGRAPH}\n\n" * 2
    + "会员编号 {{ 编号 }}。\n退订：{{ unsubscribe_url }}\n"
)

# The attributes of contact `n`, as SQL over generate_series and as Python for one message.
ATTRIBUTES_SQL = """jsonb_build_object('城市', (ARRAY['上海','广州','成都','哈尔滨'])[1 + n % 4],
    '等级', '金卡会员', '积分', (n % 10000)::text, '到期积分', (n % 100)::text,
    '到期日', '2026-12-31', '顾问', '欧阳' || n, '编号', lpad(n::text, 8, '0'))"""


def attributes(number: int) -> dict[str, str]:
    """The same values as ATTRIBUTES_SQL gives contact `number`."""
    return {
        "城市": ("上海", "广州", "成都", "哈尔滨")[number % 4],
        "等级": "金卡会员",
        "积分": str(number % 10000),
        "到期积分": str(number % 100),
        "到期日": "2026-12-31",
        "顾问": f"欧阳{number}",
        "编号": f"{number:08d}",
    }
