"""PDFs that are small and take gigabytes are found in a child, and cost the worker nothing."""

from __future__ import annotations

import os
import resource
import sys
import zlib

import pytest

from campaigns.documents.trial import MEMORY, Trial
from tests.documents.test_protect import a_pdf

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}


def a_swelling_pdf(numbers: int = 10_000_000) -> bytes:
    """Some kilobytes: an object stream with one array of so many numbers (ISO 32000-2 7.5.7)."""
    made, places = bytearray(b"%PDF-1.5\n"), [0]

    def add(body: bytes) -> None:
        places.append(len(made))
        made.extend(b"%d 0 obj\n%s\nendobj\n" % (len(places) - 1, body))

    def stream(head: bytes, content: bytes) -> bytes:
        packed = zlib.compress(content)
        head = b"<<%s/Filter/FlateDecode/Length %d>>" % (head, len(packed))
        return head + b"stream\n" + packed + b"\nendstream"

    add(b"<</Type/Catalog/Pages 2 0 R>>")
    add(b"<</Type/Pages/Kids[]/Count 0>>")
    array = b"5 0 [" + b"0 " * numbers + b"]"
    add(stream(b"/Type/ObjStm/N 1/First 4", array))
    entries = [b"\1%s\0" % place.to_bytes(4, "big") for place in (*places[1:], len(made))]
    entries.append(b"\2\0\0\0\3\0")
    xref = b"/Type/XRef/Size 6/Index[1 5]/W[1 4 1]/Root 1 0 R"
    start = len(made)
    add(stream(xref, b"".join(entries)))
    return bytes(made) + b"startxref\n%d\n%%%%EOF" % start


def test_ordinary_documents_pass_also_damaged_ones_and_those_with_a_password() -> None:
    with Trial(ENVIRONMENT) as trial:
        for document in (a_pdf(), a_pdf("secret"), a_pdf()[:200], b"%PDF-", a_swelling_pdf(1000)):
            assert trial.takes(document)


def test_a_process_with_much_memory_may_ask_too() -> None:
    held = bytearray(b"x") * (MEMORY + MEMORY // 4)
    with Trial(ENVIRONMENT) as trial:
        assert trial.takes(a_pdf())
    assert held


def test_a_small_file_of_very_many_objects_is_refused_and_costs_this_process_nothing() -> None:
    document = a_swelling_pdf()
    assert len(document) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Trial(ENVIRONMENT) as trial:
        assert not trial.takes(document)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY / 8


def test_a_child_that_died_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Trial(ENVIRONMENT) as trial:
        assert not trial.takes(a_pdf())
