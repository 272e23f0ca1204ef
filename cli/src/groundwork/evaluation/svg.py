"""Drawing with SVG: text, lines, dots and whiskers, in colours that also colour-blind people tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

COLOURS = {
    "hybrid": "#0072B2",
    "dense": "#D55E00",
    "sparse": "#009E73",
    "hybrid + rerank": "#CC79A7",
    "plain RRF": "#8A8F98",
}
"""Of ways to search: the palette of Okabe and Ito, "Color Universal Design" (2008)."""
INK = "#1F2933"
FAINT = "#6B7280"
GRID = "#E4E7EB"
_FONT = "-apple-system, 'Segoe UI', Inter, Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"


def colour_of(way: str) -> str:
    """The colour of a way to search."""
    return COLOURS.get(way, "#56B4E9")


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` along `start` to `end` pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values between the ends, at most eight."""
        step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (self.high - self.low) / step <= 7.001)
        first, last = (
            -int(-self.low / step // 1) if self.low > 0 else round(self.low / step),
            int(self.high / step + 1e-9),
        )
        return [round(number * step, 4) for number in range(first, last + 1) if self.low <= number * step + 1e-9]


@dataclass
class Canvas:
    """A picture of some size on white."""

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 12,
        colour: str = INK,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """A line of text; `anchor` is start, middle or end."""
        weight = ' font-weight="600"' if bold else ""
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        self.parts.append(f'<text {place} font-size="{size:g}" fill="{colour}"{weight}>{escape(words)}</text>')

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, colour: str = GRID, width: float = 1, dashed: bool = False
    ) -> None:
        """A straight line."""
        dash = ' stroke-dasharray="3 3"' if dashed else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"'
            f' stroke-linecap="round"{dash}/>'
        )

    def dot(self, x: float, y: float, *, colour: str, radius: float = 5, hint: str = "") -> None:
        """A filled circle; `hint` is shown where a mouse rests on it."""
        tip = f"<title>{escape(hint)}</title>" if hint else ""
        shape = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}" stroke="white" stroke-width="1.2"'
        self.parts.append(f"<circle {shape}>{tip}</circle>")

    def bar(self, x: float, y: float, width: float, height: float, *, colour: str, hint: str = "") -> None:
        """A filled rectangle."""
        tip = f"<title>{escape(hint)}</title>" if hint else ""
        place = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{max(height, 0.5):.2f}"'
        self.parts.append(f'<rect {place} fill="{colour}">{tip}</rect>')

    def box(self, x: float, y: float, width: float, height: float, *, colour: str = "white") -> None:
        """A rectangle with a border and round corners."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self.parts.append(f'<rect {place} rx="4" fill="{colour}" stroke="{GRID}"/>')

    def curve(
        self,
        points: Sequence[tuple[float, float]],
        *,
        colour: str,
        width: float = 1.6,
        shaded_to: float | None = None,
        hint: str = "",
    ) -> None:
        """A line through points, of which there is one at least; down to `shaded_to` the ground is tinted."""
        path = "L".join(f"{x:.0f} {y:.1f}" for x, y in points)
        tip = f"<title>{escape(hint)}</title>" if hint else ""
        if shaded_to is not None:
            ends = f"V{shaded_to:.1f}H{points[0][0]:.0f}Z"
            self.parts.append(f'<path d="M{path}{ends}" fill="{colour}" fill-opacity=".09"/>')
        stroke = f'stroke="{colour}" stroke-width="{width:g}" stroke-linejoin="round" stroke-linecap="round"'
        self.parts.append(f'<path d="M{path}" fill="none" {stroke}>{tip}</path>')

    def finish(self) -> str:
        """The SVG file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{self.height:g}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" font-family={quoteattr(_FONT)} role="img">'
        )
        background = '<rect width="100%" height="100%" fill="white"/>'
        return "\n".join((head, f"<title>{escape(self.title)}</title>", background, *self.parts, "</svg>\n"))
