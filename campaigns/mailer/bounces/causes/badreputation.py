"""badreputation: The sending address or domain has earned too little trust.

Example: `451 4.7.650 The mail server has been temporarily rate limited due to IP reputation`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="badreputation",
    phrases=(
        "bad reputation",
        "domain reputation",
        "ip reputation",
        "low reputation",
        "poor reputation",
        "reputation of the sending",
        "sender reputation",
        "very low reputation",
        "likely suspicious due to the",
        "信誉",
    ),
    statuses=frozenset({"7.650"}),
)
