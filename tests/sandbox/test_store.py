"""The files: what survives a restart, a kill and a full folder."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.sandbox.journal import Journal
from campaigns.sandbox.store import MailStore, mailbox_key

BOX = "bounce@sandbox.test"


@pytest.fixture
def store(tmp_path):
    store = MailStore(tmp_path)
    yield store
    store.close()


def add(store, to="li@x.test", **more):
    return store.add(b"Subject: x\r\n\r\ntext\r\n", mail_from="hr@p.test", rcpt_to=[to], **more)


def reopened(store, **more):
    store.close()
    return MailStore(store.folder, **more)


def test_everything_is_there_after_a_restart(store):
    add(store, user="sandbox")
    add(store, BOX, returned=True)
    store.delete(BOX, [add(store, BOX).uid])
    again = reopened(store)
    assert again.messages() == store.messages()
    assert again.mailbox(BOX) == store.mailbox(BOX)
    assert [again.raw(m) for m in again.messages()] == [b"Subject: x\r\n\r\ntext\r\n"] * 3


def test_numbers_go_on_after_a_restart(store):
    add(store)
    again = reopened(store)
    assert add(again).seq == 2
    again.close()


def test_a_file_without_an_envelope_is_not_a_message_and_is_never_written_over(store):
    orphan = store.folder / "messages" / "00000007.eml"
    orphan.write_bytes(b"killed before its envelope")
    again = reopened(store)
    assert again.messages() == []
    assert add(again).seq == 8
    assert orphan.read_bytes() == b"killed before its envelope"
    again.close()


@pytest.mark.parametrize("torn", [b'{"file": "00000002.e', b'{"file": "0000', b"{", b"\xe5\xb7"])
def test_a_torn_last_line_is_skipped_and_sealed_off(store, torn):
    add(store)
    journal = store.folder / "envelopes.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    again = reopened(store)
    assert [m.seq for m in again.messages()] == [1]
    add(again)
    assert [m.seq for m in again.messages()] == [1, 2]
    assert journal.read_bytes().startswith(whole + torn + b"\n{")
    again.close()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[1]",
        "nonsense",
        "[" * 100_000,
        '{"file": "00000009.eml"}',
        '{"file": 9, "mail_from": "", "rcpt_to": [], "at": "2026-01-01T00:00:00+00:00"}',
        '{"file": "../../x.eml", "mail_from": "", "rcpt_to": [], "at": "2026-01-01T00:00:00+00:00"}',
        '{"file": "00000009.eml", "mail_from": "", "rcpt_to": "a", "at": "2026-01-01T00:00:00+00:00"}',
        '{"file": "00000009.eml", "mail_from": "", "rcpt_to": [], "at": "2026-01-01T00:00:00"}',
        '{"file": "00000009.eml", "mail_from": "", "rcpt_to": [], "at": "yesterday"}',
    ],
)
def test_a_line_that_is_not_ours_is_skipped(store, line):
    add(store)
    with (store.folder / "envelopes.jsonl").open("a") as journal:
        journal.write(line + "\n")
    add(store)
    assert [m.seq for m in store.messages()] == [1, 2]
    assert [m.seq for m in MailStore(store.folder).messages()] == [1, 2]


def test_another_instance_follows_the_one_that_writes(store):
    reader = MailStore(store.folder)
    assert reader.messages() == []
    first = add(store)
    assert reader.messages() == [first]
    store.delete("li@x.test", [first.uid])
    assert reader.mailbox("li@x.test") == []
    assert reader.get(first.seq) == first
    assert reader.get(99) is None


def test_a_mailbox_holds_its_address_and_its_sub_addresses(store):
    mine = [add(store, to) for to in ("li@x.test", "LI@X.test", "li+pay@x.test")]
    for other in ("wang@x.test", "li@y.test", "lix@x.test", "li"):
        add(store, other)
    assert store.mailbox("Li@x.test") == mine


def test_the_bounce_mailbox_catches_all_that_comes_back(store):
    direct = add(store, "bounce+17.abc@sandbox.test")
    back = add(store, "hr@pay.example", returned=True)
    add(store, "hr@pay.example")
    assert store.mailbox(BOX) == [direct, back]
    assert back in store.mailbox("hr@pay.example")


def test_a_deletion_concerns_one_maildrop_alone(store):
    back = add(store, "hr@pay.example", returned=True)
    store.delete(BOX, [back.uid])
    assert store.mailbox(BOX) == []
    assert store.mailbox("hr@pay.example") == [back]


def test_uids_are_unique_printable_and_differ_in_a_new_folder(store, tmp_path):
    uids = {add(store).uid for _ in range(50)}
    assert len(uids) == 50
    assert all(len(uid) <= 70 and uid.isascii() and uid.isprintable() for uid in uids)
    other = MailStore(tmp_path / "new")
    assert add(other).uid not in uids
    other.close()


def test_arrival_is_stored_with_its_zone(store):
    arrived = add(store).at
    assert timedelta(0) <= datetime.now(UTC) - arrived < timedelta(seconds=5)


def test_the_oldest_are_removed_beyond_the_cap(tmp_path):
    store = MailStore(tmp_path, max_messages=10)
    added = [add(store, BOX) for _ in range(10)]
    store.delete(BOX, [added[0].uid, added[9].uid])
    added.append(add(store, BOX))
    kept = [m.seq for m in store.messages()]
    assert kept == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    files = sorted(path.name for path in (tmp_path / "messages").iterdir())
    assert files == [f"{seq:08d}.eml" for seq in kept]
    assert len((tmp_path / "envelopes.jsonl").read_text().splitlines()) == 9
    assert len((tmp_path / "deleted.jsonl").read_text().splitlines()) == 1
    again = reopened(store, max_messages=10)
    assert [m.seq for m in again.mailbox(BOX)] == [3, 4, 5, 6, 7, 8, 9, 11]


def test_a_reader_follows_a_pruned_journal(tmp_path):
    store, reader = MailStore(tmp_path, max_messages=5), MailStore(tmp_path)
    for _ in range(12):
        add(store)
        assert reader.messages() == store.messages()
    store.close()


def test_a_full_disk_leaves_nothing_half_done(store, monkeypatch):
    add(store)

    def full(_self, _record):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", full)
        with pytest.raises(OSError, match="No space"):
            add(store)
    assert [path.name for path in (store.folder / "messages").iterdir()] == ["00000001.eml"]
    assert [m.seq for m in store.messages()] == [1]
    assert add(store) in store.messages()


def test_a_half_written_line_is_sealed_by_the_next_one(tmp_path):
    class Full:
        def write(self, text):
            real.write(text[:5])
            real.close()
            raise OSError(28, "No space left on device")

    journal = Journal(tmp_path / "j.jsonl")
    journal.append({"n": 1})
    real, journal._writer = journal._writer, Full()
    with pytest.raises(OSError, match="No space"):
        journal.append({"n": 2})
    journal.append({"n": 3})
    journal.close()
    assert [r["n"] for r in Journal(tmp_path / "j.jsonl").read_new().records] == [1, 3]


def test_many_threads_lose_nothing(store):
    def work(name):
        for _ in range(25):
            add(store, f"{name}@x.test")

    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [m.seq for m in store.messages()] == list(range(1, 101))
    lines = (store.folder / "envelopes.jsonl").read_text().splitlines()
    assert len({json.loads(line)["file"] for line in lines}) == 100


def test_an_address_that_is_no_text_is_stored_readably(store):
    kept = add(store, "li\udcff@x.test")
    assert [m.seq for m in store.messages()] == [kept.seq]


@pytest.mark.parametrize(
    ("address", "key"),
    [("Bounce+X@A.test", "bounce@a.test"), ("a+b+c@d", "a@d"), ("nobody", "nobody"), ("", "")],
)
def test_mailbox_key(address, key):
    assert mailbox_key(address) == key
