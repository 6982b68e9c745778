"""An envelope sender names its delivery, whatever mail servers did to it, and can't be forged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.address import AddressFault, parse_mailbox
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.tokens import Tokens

TOKENS = Tokens([b"k" * 32])
PATH = ReturnPath("bounce+{token}@corp.example", TOKENS)
ids = st.integers(0, 2**63 - 1)


@given(ids, ids)
def test_it_reads_back_its_ids_and_fits_a_local_part(campaign, delivery):
    address = PATH.make(campaign, delivery)
    assert parse_mailbox(address).address == address
    assert len(address.partition("@")[0]) <= 64
    assert PATH.read(address) == (campaign, delivery)


@pytest.mark.parametrize(
    "change",
    [str.upper, str.title, "<{}>".format, "SRS0=HHH=TT=corp.example={}".format, lambda a: a.replace("+", "-"),
     lambda a: a.replace("+", "="), lambda a: a.replace("corp.example", "elsewhere.example"), lambda a: "SRS0=a=b=c=" + a.replace("@", "@forwarder.example")],
)  # fmt: skip
def test_servers_may_fold_case_and_rewrite_around_the_token(change):
    assert PATH.read(change(PATH.make(12, 3456))) == (12, 3456)


def test_a_token_of_another_purpose_is_not_believed():
    assert (
        ReturnPath("u+{token}@corp.example", TOKENS, purpose="unsubscribe").read(PATH.make(1, 2))
        is None
    )


def test_a_forged_or_cut_address_is_not_believed():
    address = PATH.make(12, 3456)
    forged = address.replace("bounce+", "bounce+a", 1)
    assert PATH.read(forged) is None
    assert PATH.read(address.replace("@", "", 1)) is None
    assert PATH.read("bounce+" + TOKENS.make("return-path", 1, 2, 3) + "@corp.example") is None


@given(st.text(max_size=200))
def test_it_survives_garbage(garbage):
    assert PATH.read(garbage) is None
    assert PATH.read(garbage + "@corp.example") is None


def test_a_very_long_address_costs_nothing():
    assert PATH.read("a" * 1_000_000 + "@corp.example") is None


def test_a_token_may_stand_at_either_end():
    for template in (
        "{token}@corp.example",
        "{token}-bounce@corp.example",
        "b.{token}+x@corp.example",
    ):
        path = ReturnPath(template, TOKENS)
        assert path.read(path.make(1, 2)) == (1, 2)


@pytest.mark.parametrize(
    "template",
    ["bounce@corp.example", "bounce{token}@corp.example", "{token}x@corp.example", "{token}+{token}@corp.example", "b@{token}.corp.example",
     "b+{token}", "b+{token}@corp", "b +{token}@corp.example", "b+{token}@corp.example\r\nRCPT TO:<x>", ""],
)  # fmt: skip
def test_it_rejects_a_template_that_makes_no_readable_address(template):
    with pytest.raises(AddressFault):
        ReturnPath(template, TOKENS)


def test_a_local_part_over_64_octets_is_a_fault():
    with pytest.raises(AddressFault) as fault:
        ReturnPath("a" * 40 + "+{token}@corp.example", TOKENS).make(2**62, 2**62)
    assert fault.value.kind == "local_long"
