"""Filters in front of a mail server: MailMarshal, MailFoundry, MXLogic, InterScan, SurfControl, m-FILTER, Symantec.

Example:
    Unable to deliver message to <a@example.jp> (and other recipients in the same domain).
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="gateway",
    marks=(
        "the following recipients were affected",
        "unable to deliver message to: <",
        "interscan messaging security suite",
        "「m-filter」",
        "failed with: 5",
        "delivery failed for the following reason",
        "sent <<< rcpt to",
        "your message could not be sent",
        "there was an error sending your mail",
        "reject reason:",
        "automatic bounce notification",
        "mxlogic",
    ),
    causes=(("please check if address is correct", "userunknown"),),
)
