"""NetEase: 163, 126, yeah.net, qiye.163.com (Coremail too). Chinese, often HTML alone.

Example:
    收件人 a@163.com，原因：550 User not found
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="netease",
    marks=(
        "163.com",
        "126.com",
        "yeah.net",
        "netease",
        "coremail",
        "退信通知",
        "系统退信",
        "您的邮件被退回",
        "投递失败通知",
    ),
    causes=(
        ("user not found", "userunknown"),
        ("mailbox not found", "userunknown"),
        ("用户不存在", "userunknown"),
        ("invalid user", "userunknown"),
        ("域名不存在", "hostunknown"),
        ("收件人不存在", "userunknown"),
        ("mx not found", "hostunknown"),
        ("user over quota", "mailboxfull"),
        ("user locked", "suspend"),
        ("user suspended", "suspend"),
    ),
)
