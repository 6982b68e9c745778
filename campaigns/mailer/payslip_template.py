"""The templates that come with the product: a payslip (工资条) that draws the whole row, and a newsletter.

Written for the oldest readers: layout by tables, since Outlook renders with Word; one column of at most 600 px that
shrinks to a phone of 360 px; colours that stay legible where a client inverts them for dark mode.
"""

import html
import re
from dataclasses import dataclass

from campaigns.mailer.template_source import TemplateSource

_HEAD = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<style>
body { margin: 0; padding: 0; background-color: #f2f4f7; }
table { border-collapse: collapse; }
td, th, p, h1 { font-family: "PingFang SC", "Microsoft YaHei", Arial, sans-serif; }
td, th, p { font-size: 15px; line-height: 1.6; color: #1f2933; }
p { margin: 0 0 12px 0; }
a { color: #1456b8; }
.page { width: 100%; background-color: #f2f4f7; }
.card { width: 100%; max-width: 600px; background-color: #ffffff; border: 1px solid #d9dee5; }
.inside { padding: 20px 16px; }
.title { margin: 0 0 12px 0; font-size: 19px; line-height: 1.4; color: #1f2933; }
.slip { width: 100%; }
.group { padding: 8px 10px; text-align: left; background-color: #e8eef7; color: #1f2933; font-size: 14px; }
.label { padding: 8px 10px; border-bottom: 1px solid #e4e8ee; color: #52606d; word-break: break-word; }
.value { padding: 8px 10px; border-bottom: 1px solid #e4e8ee; text-align: right; word-break: break-word; }
.net { padding: 10px; border-bottom: 1px solid #e4e8ee; font-size: 17px; }
.net-value { padding: 10px; border-bottom: 1px solid #e4e8ee; font-size: 17px; text-align: right; }
.note { padding: 10px 12px; background-color: #fff7e0; color: #5c4700; }
.company { padding: 0 0 10px 0; border-bottom: 3px solid #0b6b74; font-size: 15px; }
.logo { display: block; border: 0; padding: 4px 0; background-color: #ffffff; }
.small { font-size: 13px; color: #616e7c; }
.button { display: inline-block; padding: 10px 20px; background-color: #0b6b74; color: #ffffff; text-decoration: none; }
@media (prefers-color-scheme: dark) {
  body, .page { background-color: #14181d !important; }
  .card { background-color: #1f262e !important; border-color: #3a444f !important; }
  td, th, p, .title, .value, .net, .net-value { color: #e6eaef !important; }
  .label, .value, .net, .net-value { border-color: #3a444f !important; }
  .label, .small { color: #aab4bf !important; }
  .group { background-color: #2c3947 !important; color: #e6eaef !important; }
  .note { background-color: #3d3416 !important; color: #ffe9a8 !important; }
  a { color: #8ab8ff !important; }
  .button { color: #ffffff !important; }
}
</style>
</head>
<body>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td align="center">
<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td class="inside">
"""

_FOOT = """
</td></tr></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
"""

_PAYSLIP = """<h1 class="title">{{ title }}</h1>
<p>{% if name %}{{ name }}，{% endif %}您好：</p>
{% if correction %}<p><b>更正：这一份代替{{ correction }}，请以这一份为准。</b></p>
{% endif %}{% if password_hint %}<p>您的工资明细在附件里，请核对。</p>
<p>{{ password_hint }}</p>
{% else %}<p>以下是您的工资明细，请核对。</p>{% endif %}
<table class="slip" width="100%" cellpadding="0" cellspacing="0" border="0">
{% for cell in cells if cell.value %}
{% if cell.begins_group %}<tr><th class="group" colspan="2" align="left">{{ cell.group }}</th></tr>{% endif %}
{% if "实发" in cell.name %}<tr><td class="net"><b>{{ cell.label }}</b></td><td class="net-value" align="right"><b>{{ cell.value }}</b></td></tr>
{% else %}<tr><td class="label">{{ cell.label }}</td><td class="value" align="right">{{ cell.value }}</td></tr>
{% endif %}
{% endfor %}
</table>
<br>
{% if note %}<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td class="note">{{ note }}</td></tr></table><br>{% endif %}
{% if confirm_url %}<p><a class="button" href="{{ confirm_url }}">查看并确认工资条</a></p>
{% endif %}
<p class="small">工资信息属个人隐私，请勿转发。如有疑问，请直接联系人力资源部{% if sender_name %}（{{ sender_name }}）{% endif %}。</p>"""

_LAID_OUT = """{company}<h1 class="title">{{{{ title }}}}</h1>
<p>{{% if name %}}{{{{ name }}}}，{{% endif %}}您好：</p>
{{% if correction %}}<p><b>更正：这一份代替{{{{ correction }}}}，请以这一份为准。</b></p>
{{% endif %}}{{% if password_hint %}}<p>您的工资明细在附件里，请核对。</p>
<p>{{{{ password_hint }}}}</p>
{{% else %}}<p>以下是您的工资明细，请核对。</p>{{% endif %}}
<table class="slip" width="100%" cellpadding="0" cellspacing="0" border="0">
{{% for cell in cells %}}
{{% if cell.begins_group %}}<tr><th class="group" colspan="2" align="left">{{{{ cell.group }}}}</th></tr>{{% endif %}}
{{% if cell.strong %}}<tr><td class="net"><b>{{{{ cell.label }}}}</b></td><td class="net-value" align="right"><b>{{{{ cell.value }}}}</b></td></tr>
{{% else %}}<tr><td class="label">{{{{ cell.label }}}}</td><td class="value" align="right">{{{{ cell.value }}}}</td></tr>
{{% endif %}}
{{% endfor %}}
</table>
<br>
{note}{{% if confirm_url %}}<p><a class="button" href="{{{{ confirm_url }}}}">查看并确认工资条</a></p>
{{% endif %}}
<p class="small">工资信息属个人隐私，请勿转发。如有疑问，请直接联系人力资源部{{% if sender_name %}}（{{{{ sender_name }}}}）{{% endif %}}。</p>"""

_NEWSLETTER = """<h1 class="title">{{ title }}</h1>
<p>{% if name %}{{ name }}，{% endif %}您好：</p>
<p>在这里写正文。</p>
<p class="small">您收到这封邮件，是因为您订阅了{{ sender_name|default("我们") }}的资讯。
<a href="{{ unsubscribe_url }}">退订</a></p>"""


def default_payslip() -> TemplateSource:
    """Greeting, the row's cells as a table of two columns grouped by `group`, 实发 in bold, and HR's note.

    With `password_hint` the payslip is an attachment, and `cells` are none: the table stays empty. With
    `confirm_url` a button leads to the page where it is confirmed.
    With `correction` it says which earlier payslip it replaces. Needs no field of its own: `extra` gives `title` (also the subject) and maybe `name`, `note` and `sender_name`.
    Amounts stay out of the subject, which lock screens show.
    """
    return TemplateSource("{{ title }}", _HEAD + _PAYSLIP + _FOOT)


@dataclass(frozen=True, slots=True)
class Look:
    """What a layout says beside the cells: company header, note, colours (#rrggbb: button, heading, heading in
    the dark) and the logo's pixels, if there is one."""

    company: str = ""
    note: str = ""
    strong: str = "#0b6b74"
    soft: str = "#e8eef7"
    dark: str = "#2c3947"
    logo: tuple[int, int] | None = None


#: The Content-ID of a layout's logo, as `<img src="cid:…">` writes it.
LOGO_ID = "logo@hongyan"
# The box that a logo fits into, in pixels.
_LOGO_WIDTH, _LOGO_HEIGHT = 220, 48


def laid_out_payslip(look: Look) -> TemplateSource:
    """A payslip whose cells a layout has put in order: `cell.placed` and `cell.strong` decide, nothing is left out here."""
    head = _HEAD
    for ours, theirs in (("#0b6b74", look.strong), ("#e8eef7", look.soft), ("#2c3947", look.dark)):
        head = head.replace(ours, theirs)
    note = look.note and _NOTE.format(note=_plain(look.note))
    body = _LAID_OUT.format(company=_header(look), note=note)
    return TemplateSource("{{ title }}", head + body + _FOOT)


_NOTE = """<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td class="note">{note}</td></tr></table><br>
"""


def _header(look: Look) -> str:
    """The company's picture and name; Outlook needs the picture's size as attributes."""
    if not (look.company or look.logo):
        return ""
    picture = ""
    if look.logo is not None:
        width, height = look.logo
        scale = min(_LOGO_WIDTH / width, _LOGO_HEIGHT / height, 1.0)
        size = f'width="{max(round(width * scale), 1)}" height="{max(round(height * scale), 1)}"'
        picture = f'<img class="logo" src="cid:{LOGO_ID}" {size} alt="">'
    return (
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'
        f'<td class="company">{picture}<b>{_plain(look.company)}</b></td></tr></table><br>'
    )


def _plain(text: str) -> str:
    """A person's text as HTML: nothing of it is markup or a merge tag, and its line ends stay."""
    apart = re.sub(r"\{(?=[{%#])", "{\u2060", text)
    return html.escape(apart).replace("\n", "<br>")


def default_newsletter() -> TemplateSource:
    """A letter to start from; `extra` must give `title` and `unsubscribe_url`."""
    return TemplateSource("{{ title }}", _HEAD + _NEWSLETTER + _FOOT)
