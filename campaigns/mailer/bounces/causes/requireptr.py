"""requireptr: The sending host has no matching reverse DNS.

Example: `554 5.7.1 Reverse DNS failed`
"""

from campaigns.mailer.bounces.cause import Cause

CAUSE = Cause(
    name="requireptr",
    phrases=(
        "reverse dns",
        "no reverse",
        "missing ptr",
        "missing reverse",
        "ptr record",
        "ptr lookup",
        "rdns",
        "all mail servers must have a ptr",
        "cannot find your reverse",
        "cannot find your hostname",
        "cannot resolve your address",
        "client host rejected: cannot find your",
        "does not have a valid ptr",
        "does not have matching",
        "fcrdns",
        "ip name forward lookup failed",
        "ip address…does not have",
        "ip name lookup failed",
        "no ptr",
        "no matches to nameserver query",
        "permits…unverifiable sending ips",
        "reverse mapping",
        "unverifiable sending ip",
        "domain name…does not match",
        "反向解析",
    ),
    statuses=frozenset({"7.25"}),
)
