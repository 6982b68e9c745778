"""hasmoved: The mailbox has moved for good and left no forwarding.

Example: `551 5.1.6 <a@example.jp>: Destination mailbox has moved, No forwarding address`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="hasmoved",
    hard=True,
    phrases=(
        "mailbox has moved",
        "has moved, no forwarding",
        "user has moved",
        "address has changed",
        "has been replaced by",
        "has changed address",
        "has moved to",
        "moved permanently",
        "user not local; please try",
        "no forwarding address",
        "邮箱已迁移",
        "邮箱地址已变更",
        "已更换邮箱",
    ),
    statuses=frozenset({"1.6"}),
)
