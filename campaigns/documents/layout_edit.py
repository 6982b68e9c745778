"""What HR does to a layout, each as a new layout: up, down, into another group, another name.

Positions are counted as the editor shows them: groups from 0, columns from 0 over all groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from campaigns.documents.layout import MOST_GROUPS, Column, Group, Layout


def column_moved(layout: Layout, at: int, step: int) -> Layout:
    """One up (-1) or down (1); at the edge of its group it goes over into the neighbouring one."""
    group, within = _position(layout, at)
    columns = list(layout.groups[group].columns)
    if 0 <= within + step < len(columns):
        columns[within], columns[within + step] = columns[within + step], columns[within]
        return _with_group(layout, group, columns)
    if not 0 <= group + step < len(layout.groups):
        return layout
    return column_put(layout, at, group + step, first=step > 0)


def column_put(layout: Layout, at: int, target: int, *, first: bool = False) -> Layout:
    """Into another group, as its last column or its first."""
    group, within = _position(layout, at)
    if group == target or not 0 <= target < len(layout.groups):
        return layout
    columns = list(layout.groups[group].columns)
    moved = columns.pop(within)
    there = layout.groups[target].columns
    layout = _with_group(layout, group, columns)
    return _with_group(layout, target, [moved, *there] if first else [*there, moved])


def group_moved(layout: Layout, at: int, step: int) -> Layout:
    """A whole group one up or down."""
    groups = list(layout.groups)
    if not (0 <= at < len(groups) and 0 <= at + step < len(groups)):
        return layout
    groups[at], groups[at + step] = groups[at + step], groups[at]
    return replace(layout, groups=tuple(groups))


def group_added(layout: Layout, name: str) -> Layout:
    """An empty group at the end."""
    if len(layout.groups) >= MOST_GROUPS:
        return layout
    return replace(layout, groups=(*layout.groups, Group(name)))


def group_removed(layout: Layout, at: int) -> Layout:
    """Its columns go to the group before it, or after it; the only group stays."""
    if len(layout.groups) < 2 or not 0 <= at < len(layout.groups):
        return layout
    columns = layout.groups[at].columns
    groups = [group for index, group in enumerate(layout.groups) if index != at]
    heir = max(at - 1, 0)
    there = groups[heir].columns
    joined = (*there, *columns) if at else (*columns, *there)
    groups[heir] = replace(groups[heir], columns=joined)
    return replace(layout, groups=tuple(groups))


def columns_renamed(layout: Layout, names: Mapping[str, str]) -> Layout:
    """Columns that the workbook calls something else now (old → new). A label of HR's own stays."""
    taken = set(layout.names())
    wanted = {old: new for old, new in names.items() if new not in taken}
    groups = (
        replace(group, columns=tuple(_renamed(column, wanted) for column in group.columns))
        for group in layout.groups
    )
    return replace(layout, groups=tuple(groups))


def _renamed(column: Column, names: Mapping[str, str]) -> Column:
    new = names.get(column.column)
    if new is None:
        return column
    own = column.label not in (column.column, column.column.rpartition("/")[2])
    return replace(column, column=new, label=column.label if own else new.rpartition("/")[2])


def _position(layout: Layout, at: int) -> tuple[int, int]:
    """Group and place in it; raises IndexError."""
    left = at
    for number, group in enumerate(layout.groups):
        if 0 <= left < len(group.columns):
            return number, left
        left -= len(group.columns)
    raise IndexError(at)


def _with_group(layout: Layout, at: int, columns: list[Column]) -> Layout:
    changed = replace(layout.groups[at], columns=tuple(columns))
    return replace(layout, groups=(*layout.groups[:at], changed, *layout.groups[at + 1 :]))
