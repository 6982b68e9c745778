"""What goes into a rendering and what comes out of it: limits, cells, the three parts, and the errors."""

from dataclasses import dataclass

from campaigns.mailer.template_source import TemplateFault


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What one message may cost: characters of a value, of the subject and of a part, cells, and engine steps."""

    value: int = 32_767
    subject: int = 250
    output: int = 1_000_000
    #: Characters that the engine may at most write for a part, by what the template says; a bound of its memory.
    work: int = 4_000_000
    cells: int = 1_000
    fuel: int = 500_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A column and its value for a payslip's table; of a name `a/b` the group is `a` and the label `b`, unless a
    layout says `placed` (group, label); `strong` for what the reader looks for first."""

    name: str
    value: str
    placed: tuple[str, str] | None = None
    strong: bool = False

    @property
    def group(self) -> str:
        if self.placed:
            return self.placed[0]
        return self.name.partition("/")[0] if "/" in self.name else ""

    @property
    def label(self) -> str:
        return self.placed[1] if self.placed else self.name.partition("/")[2] or self.name


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message's subject (a single line), HTML and text."""

    subject: str
    html: str
    text: str


class TemplateFaults(ValueError):
    """A template with faults was to be compiled; `faults` are those of `check`."""

    def __init__(self, faults: list[TemplateFault]) -> None:
        super().__init__(
            "；".join(
                f"{fault.part} {fault.line}:{fault.column} {fault.text}" for fault in faults[:5]
            )
        )
        self.faults = faults


class RenderError(ValueError):
    """This row can't be rendered. `field` names the merge field if one is to blame; no value is ever quoted.

    Kinds: missing (no such value), value (too long, or holds what can't be sent), too_large, blank_subject, template.
    """

    def __init__(self, kind: str, part: str, line: int, field: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.part = part
        self.line = line
        self.field = field
        self.text = text
