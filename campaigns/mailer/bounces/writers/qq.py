"""QQ Mail and Tencent Exmail: HTML, 您的邮件被退回.

Example:
    收件人（a@qq.com）所属域名不存在，邮件无法送达
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="qq",
    marks=(
        "postmaster@qq.com",
        "exmail.qq.com",
        "service.mail.qq.com",
        "mail.qq.com",
        "来自qq.com的退信",
        "腾讯企业邮",
        "您投递的邮件",
        "腾讯",
    ),
    causes=(
        ("mailbox not found", "userunknown"),
        ("收件人邮件地址", "userunknown"),
        ("不存在，邮件无法送达", "userunknown"),
        ("mailbox unavailable or access denied", "blocked"),
        ("recipient address rejected", "userunknown"),
        ("域名不存在", "hostunknown"),
        ("邮箱空间", "mailboxfull"),
        ("host not found", "hostunknown"),
    ),
)
