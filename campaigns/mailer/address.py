"""Addresses: what a person typed becomes a Mailbox of RFC 5322 section 3.4, with an RFC 5321 address.

The Django side can translate a fault by its `kind`; `text` is the Chinese sentence that is ready to show.
"""

import re
from dataclasses import dataclass

import idna

from campaigns.mailer.encoded_words import HeaderFault, refuse_controls

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_DOT_ATOM = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
#: RFC 5321 section 4.1.2, Quoted-string: qtextSMTP or a quoted pair.
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*"')
_ONE_ADDRESS = re.compile(rf"(?:{_DOT_ATOM.pattern}|{_QUOTED.pattern})@[A-Za-z0-9.-]+")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

#: Full-width ASCII and the ideographic space, which Chinese input methods leave in addresses.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_DOMAIN_DOTS = {0x3002: ".", 0xFF61: "."}
_INVISIBLE = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), None)

#: RFC 5321 section 4.5.3.1: octets of a local part, of a domain, and of a path with its angle brackets.
_LOCAL_OCTETS = 64
_DOMAIN_OCTETS = 253
_ADDRESS_OCTETS = 254

_TEXTS = {
    "empty": "没有填写邮箱地址",
    "control": "地址里有换行或控制字符",
    "long": "内容过长，不是一个邮箱地址",
    "shape": "不是一个（且仅一个）邮箱地址",
    "bracket": "尖括号不成对，或后面还有内容",
    "at": "邮箱地址应当有且只有一个 @",
    "blank": "邮箱地址中间有空格",
    "local": "@ 前面的部分不合规（连续的点、首尾的点或不允许的符号）",
    "local_long": "@ 前面的部分超过 64 个字节",
    "domain": "@ 后面的域名不合规",
    "domain_dot": "@ 后面的域名里没有点",
    "address_long": "邮箱地址超过 254 个字节",
}


class AddressFault(ValueError):
    """What was typed is no address. `kind` is a key of the table above, `text` a sentence in Chinese."""

    def __init__(self, kind: str, text: str | None = None) -> None:
        self.kind = kind
        self.text = text or _TEXTS[kind]
        super().__init__(self.text)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, maybe empty, and an address whose domain is in A-labels.

    Raises `AddressFault` for a name or address that could break out of its header field, or stand for a second one.
    """

    name: str
    address: str

    def __post_init__(self) -> None:
        _refuse_controls(self.name)
        _refuse_controls(self.address)
        if not _ONE_ADDRESS.fullmatch(self.address):
            raise AddressFault("shape")

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server with SMTPUTF8 (RFC 6531) can take this address."""
        return not self.address.isascii()


def parse_mailbox(text: str) -> Mailbox:
    """Read `a@b.cn`, `张三 <a@b.cn>` or `"张三" <a@b.cn>`; raises `AddressFault`.

    Outer blanks are removed and full-width letters and signs folded; the domain becomes lower-case A-labels
    (RFC 5891), the local part stays as typed. A blank inside, a doubled dot and the like are never repaired.
    """
    if len(text) > 2000:
        raise AddressFault("long")
    typed = text.translate(_INVISIBLE).strip(" \t\u00a0\u3000\r\n")
    if not typed:
        raise AddressFault("empty")
    name, address = _split_name(typed)
    _refuse_controls(typed)
    return Mailbox(name, _clean_address(address))


def address_key(address: str) -> str:
    """What two spellings of one address have in common: lower case, domain in A-labels. Raises `AddressFault`."""
    return _clean_address(address).lower()


def domain_of(address: str) -> str:
    """The domain in lower case, as A-labels. Raises `AddressFault`."""
    return _clean_address(address).rpartition("@")[2]


def _refuse_controls(text: str) -> None:
    try:
        refuse_controls(text)
    except HeaderFault as fault:
        raise AddressFault("control", fault.text) from None


def _split_name(typed: str) -> tuple[str, str]:
    if not typed.endswith((">", "＞")):
        if "<" in _unquoted(typed):
            raise AddressFault("bracket")
        return "", typed
    opening = max(typed.rfind("<"), typed.rfind("＜"))
    if opening < 0:
        raise AddressFault("bracket")
    name = typed[:opening].strip(" \t\u00a0\u3000")
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1]).strip()
    return name, typed[opening + 1 : -1]


def _clean_address(address: str) -> str:
    folded = address.translate(_FULL_WIDTH).strip(" \t\u00a0")
    local, at, domain = folded.rpartition("@")
    if not at or not local or not domain or "@" in _unquoted(local):
        raise AddressFault("at")
    _check_local(local)
    domain = _a_labels(domain)
    if len(local.encode()) + 1 + len(domain) > _ADDRESS_OCTETS:
        raise AddressFault("address_long")
    return f"{local}@{domain}"


def _unquoted(text: str) -> str:
    return _QUOTED.sub("", text) if text.startswith('"') else text


def _check_local(local: str) -> None:
    _refuse_controls(local)
    if len(local.encode()) > _LOCAL_OCTETS:
        raise AddressFault("local_long")
    if _QUOTED.fullmatch(local):
        return
    if any(character.isspace() for character in local):
        raise AddressFault("blank")
    if not _DOT_ATOM.fullmatch(local):
        raise AddressFault("local")


def _a_labels(domain: str) -> str:
    if any(character.isspace() for character in domain):
        raise AddressFault("blank")
    if len(domain) > _DOMAIN_OCTETS:
        raise AddressFault("domain")
    ascii_domain = domain.translate(_DOMAIN_DOTS).lower()
    if not ascii_domain.isascii():
        try:
            ascii_domain = idna.encode(ascii_domain, uts46=True).decode().lower()
        except (idna.IDNAError, UnicodeError):
            raise AddressFault("domain") from None
    labels = ascii_domain.split(".")
    if len(labels) < 2:
        raise AddressFault("domain_dot")
    if len(ascii_domain) > _DOMAIN_OCTETS or not all(map(_LABEL.fullmatch, labels)):
        raise AddressFault("domain")
    # A last label of digits alone is no domain (RFC 3696 section 2): most likely an IP address.
    if labels[-1].isdigit():
        raise AddressFault("domain")
    return ascii_domain
