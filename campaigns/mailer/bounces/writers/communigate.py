"""CommuniGate Pro, InterMail, iPlanet Messaging Server and PMDF.

Example:
    Recipient address: a@example.org
      Reason: Remote SMTP server has rejected address
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="communigate",
    marks=(
        "this report relates to a message you sent with",
        "failed to deliver to",
        "recipient address:",
        "message delivery to",
    ),
)
