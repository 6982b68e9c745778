"""Which machines fetch the pictures and links of mail: data, each with its source.

Agents are compared in lower case. A proxy fetches a picture for a reader, or long before one; a scanner looks for
harm; a prefetch gets ready what nobody asked for yet. None of them is a person.
"""

import ipaddress
from bisect import bisect_right
from typing import Final

PROXY, SCANNER, PREFETCH = "proxy", "scanner", "prefetch"

#: Whole agents.
AGENTS: Final = {
    # Apple Mail Privacy Protection: loads every picture on arrival; Mailgun, "Privacy, automatic engagements, and
    # Mailgun's bot detection".
    "mozilla/5.0": PROXY,
    # Gmail, while its reader is signed in and before he opens the message; SparkPost (Bird), "Gmail is prefetching
    # images".
    "mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36 (khtml, like gecko) chrome/42.0.2311.135"
    " safari/537.36 edge/12.246 mozilla/5.0": PREFETCH,
}

#: Parts of agents, the first that is found counts.
PARTS: Final = (
    # Gmail's image proxy names itself; Google Workspace Admin Help, "Set up image URL proxy allowlist".
    ("googleimageproxy", PROXY),
    ("ggpht.com", PROXY),
    # Yahoo and AOL; Validity, "What do the different provider categories mean" (Yahoo Proxy).
    ("yahoomailproxy", PROXY),
    # Gateways that name themselves; mautic issue 16263, live-direct-marketing "Bot clicks from security scanners".
    ("barracuda", SCANNER),
    ("mimecast", SCANNER),
    ("proofpoint", SCANNER),
    ("urldefense", SCANNER),
    ("safelinks", SCANNER),
    ("microsoft-urlanalyzer", SCANNER),
    ("symantec", SCANNER),
    ("ironport", SCANNER),
    ("ciscosecureemail", SCANNER),
    ("trendmicro", SCANNER),
    ("trend micro", SCANNER),
    ("tmes", SCANNER),
    ("fortimail", SCANNER),
    ("fortinet", SCANNER),
    ("sophos", SCANNER),
    ("forcepoint", SCANNER),
    ("fireeye", SCANNER),
    ("urlscan", SCANNER),
    ("virustotal", SCANNER),
    # Previews that chats and search engines draw.
    ("bingpreview", PREFETCH),
    ("skypeuripreview", PREFETCH),
    ("slackbot", PREFETCH),
    ("facebookexternalhit", PREFETCH),
    ("twitterbot", PREFETCH),
    ("linkedinbot", PREFETCH),
    ("whatsapp/", PREFETCH),
    ("telegrambot", PREFETCH),
    # What calls itself a robot (RFC 9309 section 2.2.1), and programs that are no mail reader and no browser.
    ("bot/", SCANNER),
    ("bot;", SCANNER),
    ("bot)", SCANNER),
    ("crawler", SCANNER),
    ("spider", SCANNER),
    ("headlesschrome", SCANNER),
    ("phantomjs", SCANNER),
    ("curl/", SCANNER),
    ("wget/", SCANNER),
    ("python-", SCANNER),
    ("go-http-client", SCANNER),
    ("java/", SCANNER),
    ("apache-httpclient", SCANNER),
    ("libwww-perl", SCANNER),
    ("scrapy", SCANNER),
    ("nmap", SCANNER),
)

#: Parts that are a machine's on a link alone: with such an agent Outlook itself loads pictures for its reader, while
#: a click opens the browser. Office itself asks for a link before ("Microsoft Office Existence Discovery" in logs).
LINK_PARTS: Final = (
    ("microsoft office", PREFETCH),
    ("ms-office", PREFETCH),
    ("msoffice", PREFETCH),
)

_NETWORKS: Final = (
    # Barracuda Email Gateway Defense: the address ranges of its own set-up guide (US); and SPF of its service.
    ("64.235.144.0/20", SCANNER),
    ("209.222.80.0/21", SCANNER),
    # Mimecast (AS30031): the ranges that its customers admit in Microsoft 365.
    ("63.128.21.0/24", SCANNER),
    ("170.10.128.0/22", SCANNER),
    ("170.10.132.0/23", SCANNER),
    ("205.139.110.0/23", SCANNER),
    ("207.211.30.0/23", SCANNER),
    ("216.205.24.0/24", SCANNER),
    # Proofpoint (AS22843, AS26211).
    ("67.231.144.0/20", SCANNER),
    ("148.163.128.0/19", SCANNER),
    # Microsoft, "Microsoft 365 URLs and IP address ranges", row 9 and 10 (Exchange Online Protection): it looks at
    # links on delivery; Safe Links itself sends the reader's own browser on (warmbly pull request 412).
    ("40.92.0.0/15", SCANNER),
    ("40.107.0.0/16", SCANNER),
    ("52.100.0.0/14", SCANNER),
    ("104.47.0.0/17", SCANNER),
    # Google's image proxy.
    ("66.102.0.0/20", PROXY),
    ("66.249.80.0/20", PROXY),
    # Apple's own network; Apple Support, "Use Apple products on enterprise networks".
    ("17.0.0.0/8", PROXY),
)


def _ranges() -> list[tuple[int, int, str]]:
    networks = [(ipaddress.IPv4Network(text), kind) for text, kind in _NETWORKS]
    return sorted(
        (int(network.network_address), int(network.broadcast_address), kind)
        for network, kind in networks
    )


_RANGES: Final = _ranges()
_FIRSTS: Final = [first for first, _last, _kind in _RANGES]


def kind_of_network(address: str) -> str | None:
    """PROXY, SCANNER or None for an IPv4 address, also one that is mapped into IPv6 (RFC 4291 2.5.5.2)."""
    try:
        ip = ipaddress.IPv4Address(address.lower().removeprefix("::ffff:"))
    except ValueError:
        return None
    number = int(ip)
    at = bisect_right(_FIRSTS, number) - 1
    if at >= 0 and number <= _RANGES[at][1]:
        return _RANGES[at][2]
    return None
