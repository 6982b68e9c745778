"""Reads docker-compose.yml as far as ours uses YAML: mappings, flow and block lists, `|`, anchors, `<<`.

Anything else raises ValueError, so that the file stays within what this reads. Interpolation is
Compose's: ${NAME:?sentence}, ${NAME:-default}, and $$ for a dollar sign.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([?-])([^}]*))?\})")


class MissingVariable(Exception):
    """Compose stops with this sentence."""


def load(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in; a key without a value takes the variable of its name."""
    return _filled(_Reader(path.read_text(encoding="utf-8")).mapping(0), variables)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return _VARIABLE.sub(lambda found: _variable(found, variables), value) if value else value


def _variable(found: re.Match[str], variables: Mapping[str, str]) -> str:
    dollar, name, kind, text = found.groups()
    if dollar:
        return "$"
    if value := variables.get(name):
        return value
    if kind == "?":
        raise MissingVariable(text)
    return text or ""


class _Reader:
    """A cursor over the lines; blank lines and comments count only within `|`."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.at = 0
        self.anchors: dict[str, dict[str, Any]] = {}

    def indent(self) -> int:
        """Of the next line that says something; -1 at the end."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and not line.lstrip().startswith("#"):
                return len(line) - len(line.lstrip())
            self.at += 1
        return -1

    def mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.indent() == indent:
            line = self.lines[self.at].strip()
            matched = re.fullmatch(r"([\w.<-]+):(?: (.*))?", line)
            if matched is None:
                raise ValueError(f"line {self.at + 1}: {line}")
            self.at += 1
            key, text = matched[1], (matched[2] or "").strip()
            if key == "<<":
                found = self.anchors[text.removeprefix("*")] | found
            else:
                found[key] = self.value(text, indent)
        return found

    def value(self, text: str, indent: int) -> Any:
        if text == "|":
            return self.block()
        if text.startswith("*"):
            return self.anchors[text[1:]]
        if text.startswith(("[", '"')):
            return json.loads(text)
        if text and not text.startswith("&"):
            return text
        if self.indent() <= indent:
            return None
        if self.lines[self.at].lstrip().startswith("- "):
            return self.items(self.indent())
        nested = self.mapping(self.indent())
        if text:
            self.anchors[text[1:]] = nested
        return nested

    def items(self, indent: int) -> list[str]:
        found = []
        while self.indent() == indent and self.lines[self.at].lstrip().startswith("- "):
            text = self.lines[self.at].strip()[2:]
            self.at += 1
            found.append(self.value(text, indent))
        return found

    def block(self) -> str:
        indent, taken = self.indent(), []
        while self.at < len(self.lines) and self.lines[self.at].startswith(" " * indent):
            taken.append(self.lines[self.at][indent:])
            self.at += 1
        return "\n".join(taken) + "\n"
