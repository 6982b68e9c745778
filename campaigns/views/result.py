"""The result of a campaign as .xlsx or CSV."""

from __future__ import annotations

import tempfile

from django.http import FileResponse, HttpRequest
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_safe

from campaigns.pipeline import report
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.found import campaign_of

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@member()
@require_safe
def campaign_result(request: HttpRequest, pk: int) -> FileResponse:
    """With the workbook's own columns for those who may read them, and without for all others.

    ?format=csv: for other programs.
    """
    found = campaign_of(request, pk)
    target = tempfile.SpooledTemporaryFile(max_size=20 * 1024 * 1024)  # noqa: SIM115
    readable = found.content_visible_to(request.user)
    as_csv = request.GET.get("format") == "csv"
    report.write_result(found, target, report.Reading(readable, sentence), as_csv=as_csv)
    target.seek(0)
    day = timezone.localdate().isoformat()
    name = f"{get_valid_filename(found.name) or pk}-{day}.{'csv' if as_csv else 'xlsx'}"
    kind = CSV if as_csv else XLSX
    response = FileResponse(target, as_attachment=True, filename=name, content_type=kind)
    response["Cache-Control"] = "no-store, private"
    return response
