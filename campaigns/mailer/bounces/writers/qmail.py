"""qmail-send and its kin (netqmail, Yahoo, GoDaddy): a paragraph for each address.

Example:
    <a@example.jp>: 192.0.2.1 does not like recipient. Remote host said: 550 …
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="qmail",
    marks=(
        "this is the qmail-send program",
        "i'm afraid i wasn't able to deliver your message",
        "this is a permanent error; i've given up",
        "sorry, we were unable to deliver your message to the following address",
        "there's a problem with the e-mail address(es) you're trying",
        "unable to deliver message to the following address(es)",
        "he/her is not",
        "your mail message to the following address(es) could not be delivered",
        "we were not able to deliver your message to the following",
    ),
    causes=(
        ("couldn't find any host named", "hostunknown"),
        ("couldn't find a mail exchanger or ip address", "notaccept"),
        ("no mailbox here by that name", "userunknown"),
        ("this message is looping", "networkerror"),
        ("i'm not going to try again; this message has been in the queue too long", "expired"),
        ("user does not exist, but will deliver to", "userunknown"),
    ),
)
