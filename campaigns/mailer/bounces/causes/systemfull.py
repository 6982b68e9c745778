"""systemfull: The host has no room left at all.

Example: `452 4.3.1 Insufficient system storage`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="systemfull",
    phrases=(
        "insufficient system storage",
        "insufficient system resources",
        "insufficient disk space",
        "insufficient disk storage",
        "insufficient storage",
        "mail system full",
        "no space left",
        "disk full",
        "requested mail action aborted: exceeded storage",
        "requested action not taken: insufficient",
        "system disk full",
        "out of disk",
        "系统存储",
    ),
    statuses=frozenset({"3.1"}),
)
