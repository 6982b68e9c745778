"""What tests of the workbook pages do as a person would: upload, let a worker read, look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from campaigns.models import Workbook
from campaigns.pipeline import load

CORPUS = Path(__file__).parents[1] / "corpus" / "workbooks"


def text(response: Any) -> str:
    return response.content.decode()


def post(client: Client, data: bytes, *, name: str = "工资.xlsx", **extra: Any) -> Any:
    purpose = extra.pop("purpose", "payslip")
    file = SimpleUploadedFile(name, data)
    return client.post("/workbooks/upload/", {"purpose": purpose, "file": file}, **extra)


def uploaded(client: Client, data: bytes, **extra: Any) -> Workbook:
    """Uploaded through the page and read by a worker."""
    response = post(client, data, **extra)
    assert response.status_code == 302, text(response)
    workbook = Workbook.objects.latest("pk")
    load.read(workbook.pk)
    return again(workbook)


def again(workbook: Workbook) -> Workbook:
    return Workbook.objects.select_related("data_key").get(pk=workbook.pk)


def page(client: Client, workbook: Workbook) -> str:
    return text(client.get(f"/workbooks/{workbook.pk}/"))
