"""What a dashboard is made of, and Grafana's JSON for it. Closed kinds, so that all boards look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

DATASOURCE = {"type": "prometheus", "uid": "groundwork-prometheus"}
COLUMNS = 24
HEIGHT = 8
STAT_HEIGHT = 4
SCHEMA_VERSION = 41
"""Of Grafana 12's dashboards."""

Kind = Literal["timeseries", "stat"]
Needs = Literal["", "qdrant", "vllm"]


@dataclass(frozen=True)
class Query:
    """PromQL, and what a series is called (`{{label}}` stands for a label's value)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture. `needs` names a server whose own metrics it shows; empty for the services' own."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    says: str = ""
    kind: Kind = "timeseries"
    width: int = 8
    needs: Needs = ""


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard; `uid` is its address and its file's name."""

    uid: str
    title: str
    rows: tuple[Row, ...]


def line(title: str, *queries: tuple[str, str] | str, unit: str = "short", says: str = "", needs: Needs = "") -> Panel:
    """Values over time; a query is PromQL, or PromQL and a legend."""
    return Panel(title, tuple(_query(each) for each in queries), unit, says, needs=needs)


def stat(title: str, expr: str, unit: str = "short", says: str = "", needs: Needs = "") -> Panel:
    """The latest value, large."""
    return Panel(title, (Query(expr),), unit, says, "stat", 4, needs)


def quantiles(
    metric: str, by: str = "", where: str = "", shares: tuple[float, ...] = (0.5, 0.95)
) -> list[tuple[str, str]]:
    """Queries for the quantiles of a histogram, for each value of a label if one is named."""
    labels = f"le, {by}" if by else "le"
    chosen = f"{{{where}}}" if where else ""
    return [
        (
            f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{chosen}[$__rate_interval])))",
            f"{{{{{by}}}}} p{share * 100:g}" if by else f"p{share * 100:g}",
        )
        for share in shares
    ]


def rates(metric: str, by: str = "", where: str = "") -> tuple[str, str]:
    """A counter's increase a second, for each value of the labels."""
    chosen = f"{{{where}}}" if where else ""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else ""
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (rate({metric}{chosen}[$__rate_interval]))", legend


@dataclass(frozen=True)
class Cell:
    """Where a panel is: its column of 24, its line below the row's heading, and how many lines it is high."""

    panel: Panel
    x: int
    y: int
    height: int


def placed(row: Row) -> list[Cell]:
    """The panels of a row side by side, and below where there is no more room."""
    cells: list[Cell] = []
    x, y, tallest = 0, 0, 0
    for panel in row.panels:
        height = STAT_HEIGHT if panel.kind == "stat" else HEIGHT
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        cells.append(Cell(panel, x, y, height))
        x, tallest = x + panel.width, max(tallest, height)
    return cells


def lines_of(cells: Sequence[Cell]) -> int:
    """How many lines they take together."""
    return max(each.y + each.height for each in cells)


def rendered(board: Board) -> dict[str, Any]:
    """The dashboard as Grafana stores it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in board.rows:
        panels.append(
            {"type": "row", "title": row.title, "collapsed": False, "panels": [], "gridPos": _at(0, y, COLUMNS, 1)}
        )
        cells = placed(row)
        panels += [
            _rendered_panel(each.panel) | {"gridPos": _at(each.x, y + 1 + each.y, each.panel.width, each.height)}
            for each in cells
        ]
        y += 1 + lines_of(cells)
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["groundwork"],
        "editable": False,
        "schemaVersion": SCHEMA_VERSION,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "Groundwork", "tags": ["groundwork"], "asDropdown": True, "keepTime": True}
        ],
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def _query(given: tuple[str, str] | str) -> Query:
    return Query(given) if isinstance(given, str) else Query(*given)


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _rendered_panel(panel: Panel) -> dict[str, Any]:
    custom = {"fillOpacity": 10, "showPoints": "never", "spanNulls": True} if panel.kind == "timeseries" else {}
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": DATASOURCE,
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
        }
        for number, query in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": custom}, "overrides": []},
        "options": _options(panel.kind),
        "targets": targets,
    }


def _options(kind: Kind) -> dict[str, Any]:
    if kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}, "colorMode": "value", "graphMode": "area"}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
