"""Reads any payroll or recipient workbook into rows with clean addresses and text as Excel shows it.

Pure: knows spreadsheets, not Django. Stages: container (sniff, package) → sheet (xlsx, ods, xls,
html_tables, text_tables) → header → rows → Reading. `child.read_in_child` runs it behind limits.
"""

from campaigns.workbooks.problems import Problem, ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.reader import read
from campaigns.workbooks.results import Choices, Limits, Reading, ReadRow

__all__ = [
    "Choices",
    "Limits",
    "Problem",
    "ProblemKind",
    "ReadRow",
    "Reading",
    "RejectKind",
    "WorkbookRejected",
    "read",
]
