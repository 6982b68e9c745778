"""sendmail: addresses, then a transcript.

Example:
       ----- The following addresses had permanent fatal errors -----
    <a@example.com>
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="sendmail",
    marks=(
        "the following addresses had permanent",
        "the following addresses had transient",
        "the following addresses had fatal",
        "the following addresses had delivery",
        "transcript of session follows",
        "the following address(es) had",
        "unsent message follows",
    ),
)
