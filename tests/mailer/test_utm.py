"""UTM parameters stand behind what a link already says."""

from __future__ import annotations

import pytest

from campaigns.mailer.utm import with_utm

FIELDS = {"source": "鸿雁", "medium": "e mail", "campaign": "", "term": "", "content": "a&b"}
ADDED = "utm_source=%E9%B8%BF%E9%9B%81&utm_medium=e%20mail&utm_content=a%26b"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example", f"https://shop.example?{ADDED}"),
        ("https://www.shop.example/a#part?x", f"https://www.shop.example/a?{ADDED}#part?x"),
        ("https://SHOP.example:8443/?q=1&q=2", f"https://SHOP.example:8443/?q=1&q=2&{ADDED}"),
        ("https://shop.example/?", f"https://shop.example/?{ADDED}"),
        ("https://shop.example/?a=%zz&", f"https://shop.example/?a=%zz&{ADDED}"),
        (
            "https://shop.example/?utm_source=own&utm_medium=&utm_content=c",
            "https://shop.example/?utm_source=own&utm_medium=&utm_content=c",
        ),
    ],
)
def test_it_adds_what_is_missing_and_keeps_the_rest(url: str, expected: str) -> None:
    assert with_utm(url, FIELDS, ["shop.example"]) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://myshop.example/",
        "https://shop.example.evil/",
        "mailto:a@shop.example",
        "https://[x",
    ],
)
def test_other_sites_get_nothing(url: str) -> None:
    assert with_utm(url, FIELDS, ["shop.example"]) == url
