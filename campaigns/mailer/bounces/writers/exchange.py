"""Microsoft Exchange 5.5, 2000, 2003, 2007 and 365, with the codes of its transport.

Example:
    a@example.jp on Thu, 29 Apr 2010 00:00:00 -0000
        The recipient name is not recognized
        MSEXCH:IMS:NNN:CAT:NEKO 0 (000C05A6) Unknown Recipient
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="exchange",
    marks=(
        "did not reach the following recipient",
        "did not reach some or all of the intended",
        "the following recipient(s) could not be reached",
        "diagnostic information for administrators",
        "couldn't be delivered to the following",
        "wasn't delivered to",
        "delivery has failed to these recipients",
        "your message couldn't be delivered",
        "the following recipient(s) cannot be reached",
        "无法将邮件传递到以下收件人",
        "未能传递给以下收件人",
        "无法送达以下收件人",
        "您的邮件未送达",
    ),
    causes=(
        ("000c05a6", "userunknown"),
        ("00010256", "systemerror"),
        ("000b05a6", "userunknown"),
        ("000b099c", "onhold"),
        ("00020595", "onhold"),
        ("mapi object not found", "onhold"),
        ("000d0595", "rejected"),
        ("000c0595", "filtered"),
        ("000b0981", "securityerror"),
        ("000b0980", "expired"),
        ("00120270", "networkerror"),
        ("#5.1.1 smtp; 550 unknown", "userunknown"),
        ("resolver.adr.recipnotfound", "userunknown"),
        ("resolver.adr.recipientnotfound", "userunknown"),
        ("resolver.adr.exrecipnotfound", "userunknown"),
        ("the recipient name is not recognized", "userunknown"),
        ("000b09aa", "onhold"),
    ),
)
