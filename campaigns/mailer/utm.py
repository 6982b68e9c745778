"""UTM parameters: what a link tells the site that it leads to about where its visitor comes from.

The five names are those of Google Analytics ("URL builders: collect campaign data with custom URLs"), which Matomo,
Baidu and others read too. They are the same for all recipients.
"""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

FIELDS = ("source", "medium", "campaign", "term", "content")


def with_utm(url: str, fields: Mapping[str, str], domains: Collection[str]) -> str:
    """`url` with the parameters that it has not yet, before its fragment; all else stays byte for byte.

    `domains` are in lower case; each means its subdomains too. A url of another site is returned as it is.
    """
    head, hash_sign, fragment = url.partition("#")
    try:
        host = (urlsplit(head).hostname or "").rstrip(".")
        names = {name for name, _value in parse_qsl(urlsplit(head).query, keep_blank_values=True)}
    except ValueError:
        return url
    if not any(host == domain or host.endswith(f".{domain}") for domain in domains):
        return url
    wanted = {f"utm_{name}": fields.get(name, "") for name in FIELDS}
    added = {name: value for name, value in wanted.items() if value and name not in names}
    if not added:
        return url
    if "?" not in head:
        joint = "?"
    else:
        joint = "" if head.endswith(("?", "&")) else "&"
    return head + joint + urlencode(added, quote_via=quote) + hash_sign + fragment
