"""Amazon's own id of a message, in its final reply and in what comes back."""

import pytest

from campaigns.mailer.remote_id import remote_id, remote_id_of

ID = "0102018f1c2b3d4e-1a2b3c4d-1234-5678-9abc-def012345678-000000"


def test_the_reply_of_ses_names_the_message() -> None:
    assert remote_id(f"Ok {ID}") == ID


@pytest.mark.parametrize(
    "text", ["", "Ok", "Ok: queued as 4F2A1", f"queued as {ID}", "Ok 0102018f-000000"]
)
def test_other_replies_name_none(text: str) -> None:
    assert remote_id(text) == ""


@pytest.mark.parametrize(
    "text", [ID, f"<{ID}@eu-west-1.amazonses.com>", f"<{ID}@email.amazonses.com>"]
)
def test_the_message_id_of_ses_is_the_same_id(text: str) -> None:
    assert remote_id_of(text) == ID


@pytest.mark.parametrize("text", ["<1@example.com>", f"<{ID}@evil.example>", "", "<>"])
def test_other_message_ids_are_none_of_theirs(text: str) -> None:
    assert remote_id_of(text) == ""
