"""virusdetected: The content was taken for malware.

Example: `554 5.7.1 Virus found in the message`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="virusdetected",
    phrases=(
        "virus detected",
        "virus found",
        "virus was detected",
        "virus-infected",
        "a virus",
        "contains a virus",
        "infected with",
        "contains virus",
        "malware",
        "mcspamsignature.sa",
        "was infected",
        "phishing",
        "病毒",
        "ウイルス",
    ),
)
