"""What providers ask of a sender's SPF record, and by which host names one knows them.

An account's preset names its provider; without one the SMTP host does.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """`includes`: any one of these in a SPF record covers its servers; the first is what it asks for today.

    `hosts`: its SMTP servers, or what they end in. `owns`: from-domains that it signs and publishes records for.
    `mail_from`: the envelope domain that it puts in place of ours.
    """

    code: str
    includes: tuple[str, ...]
    hosts: tuple[str, ...]
    owns: tuple[str, ...] = ()
    mail_from: str = ""


_NETEASE = ("spf.163.com", "spf1.163.com", "spf.qiye.163.com")
_GOOGLE = ("_spf.google.com", "_netblocks.google.com")

PROVIDERS = (
    Provider("163", _NETEASE, ("smtp.163.com", "smtp.qiye.163.com", "smtphz.qiye.163.com"), owns=("163.com",)),
    Provider("126", _NETEASE, ("smtp.126.com",), owns=("126.com",)),
    Provider("yeah", _NETEASE, ("smtp.yeah.net",), owns=("yeah.net",)),
    Provider(
        "exmail",
        ("spf.mail.qq.com",),
        ("smtp.exmail.qq.com", "hwsmtp.exmail.qq.com"),
    ),
    Provider(
        "qq",
        ("spf.mail.qq.com",),
        ("smtp.qq.com",),
        owns=("qq.com", "vip.qq.com", "foxmail.com"),
    ),
    Provider(
        "aliyun",
        ("spf.qiye.aliyun.com",),
        ("smtp.qiye.aliyun.com", "smtp.mxhichina.com", "smtp.aliyun.com"),
        owns=("aliyun.com",),
    ),
    Provider(
        "aliyun_dm",
        ("spf1.dm.aliyun.com", "spf2.dm.aliyun.com"),
        ("smtpdm.aliyun.com", ".smtpdm.aliyun.com"),
    ),
    Provider(
        "gmail",
        _GOOGLE,
        ("smtp.gmail.com", "smtp-relay.gmail.com", "smtp.googlemail.com"),
        owns=("gmail.com", "googlemail.com"),
    ),
    Provider(
        "office365",
        ("spf.protection.outlook.com", "spf.protection.partner.outlook.cn"),
        ("smtp.office365.com", "smtp.partner.outlook.cn", ".mail.protection.outlook.com"),
        owns=("outlook.com", "hotmail.com", "live.com", "msn.com"),
    ),
    Provider("icloud", ("icloud.com",), ("smtp.mail.me.com",), owns=("icloud.com",)),
    # Without a MAIL FROM domain of one's own, SES puts a subdomain of amazonses.com into the envelope.
    Provider("ses", ("amazonses.com",), (".amazonaws.com", ".amazonaws.com.cn"), mail_from="amazonses.com"),
)  # fmt: skip

#: Domains that anybody may have an address at: their provider publishes and signs for them, and nobody else can.
FREE_MAIL_DOMAINS = frozenset(
    {
        *(domain for provider in PROVIDERS for domain in provider.owns),
        "188.com",
        "sina.com",
        "sina.cn",
        "sohu.com",
        "139.com",
        "189.cn",
        "yahoo.com",
    }
)

_BY_CODE = {provider.code: provider for provider in PROVIDERS}


def provider_of(preset: str, host: str) -> Provider | None:
    """By the SMTP host, which may have been changed after its preset was chosen, else by the preset's code; None for a
    server of one's own."""
    host = host.rstrip(".").lower()
    for provider in PROVIDERS:
        for known in provider.hosts:
            if host == known or (known.startswith(".") and host.endswith(known)):
                return provider
    return _BY_CODE.get(preset)


def sends_for(domain: str, provider: Provider | None, host: str) -> bool:
    """Whether a free mail domain is this provider's own; of one that is not listed, the host lies in the domain."""
    if provider is not None:
        return domain in provider.owns
    return host.rstrip(".").lower().endswith(f".{domain}")
