"""Aliyun Mail (阿里云邮, 阿里邮箱).

Example:
    收信人 a@example.com 不存在 (User not exist)
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="aliyun",
    marks=(
        "aliyun.com",
        "mxhichina.com",
        "alibaba",
        "阿里",
        "邮件投递失败",
    ),
    causes=(
        ("user not exist", "userunknown"),
        ("user_not_exist", "userunknown"),
        ("mailbox_full", "mailboxfull"),
        ("invalid_rcpt", "userunknown"),
        ("user status abnormal", "suspend"),
        ("收信人不存在", "userunknown"),
    ),
)
