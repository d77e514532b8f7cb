"""What a measurement is, its aim, and the table.

A `Measure` holds the figures of each run of ours and of what it is compared with; the report takes
medians. An aim is either a ratio (to the bare page, to ours without
storing, or to the documents' relay) or a figure of ours
alone (seconds, or a ratio to the ideal). Runs that are taken by turns are compared pair by pair, so
that what else the machine did counts on both sides.
"""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

Against = Literal["bare", "unsaved", "documents", "alone"]


@dataclass
class Measure:
    """`aim` holds for ours ÷ other, or for ours when `against` is alone."""

    name: str
    unit: str
    aim: float
    against: Against = "bare"
    pairs: bool = False
    """The ratio is the median of the pairs' ratios, not the ratio of the medians."""
    ours: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    def add(self, page: str, figure: float) -> None:
        (self.ours if page == "ours" else self.other).append(figure)

    @property
    def figures(self) -> list[float]:
        """Those whose median is held against the aim, and whose spread tells how far it is to be trusted."""
        if not self.pairs:
            return self.ours
        return [ours / (other or 1e-9) for ours, other in zip(self.ours, self.other, strict=True)]

    @property
    def value(self) -> float:
        """What is held against the aim."""
        if self.against == "alone" or self.pairs:
            return median(self.figures)
        return median(self.ours) / (median(self.other) or 1e-9)

    @property
    def spread(self) -> float:
        """From the least to the greatest of `figures`, as a part of their median; 0 of one alone."""
        return (max(self.figures) - min(self.figures)) / (abs(median(self.figures)) or 1e-9)

    @property
    def kept(self) -> bool:
        return self.value <= self.aim

    def row(self) -> list[str]:
        sign, verdict = (self.unit, "alone") if self.against == "alone" else ("×", "ratio")
        other = f"{median(self.other):.3g}" if self.other else "–"
        if self.against in ("unsaved", "documents"):
            other += f" {self.against}"
        runs = (
            f"{len(self.ours)}"
            if len(self.other) in (0, len(self.ours))
            else f"{len(self.ours)}/{len(self.other)}"
        )
        value = f"{self.value:.2f}×" if verdict == "ratio" else f"{self.value:.3g} {sign}"
        return [
            self.name,
            self.unit,
            f"{median(self.ours):.3g}",
            other,
            value,
            f"≤ {self.aim:g}{'×' if sign == '×' else f' {sign}'}",
            runs,
            f"{self.spread:.0%}" if len(self.ours) > 1 else "–",
            "ok" if self.kept else f"missed by {self.value / self.aim - 1:.0%}",
        ]

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "other": self.other,
            "against": self.against,
            "value": self.value,
            "spread": self.spread,
            "aim": self.aim,
            "ok": self.kept,
        }


HEAD = ["what", "unit", "ours", "other", "measured", "aim", "runs", "spread", ""]


def table(measures: Iterable[Measure]) -> str:
    """A Markdown table of medians."""
    rows = [HEAD, *(measure.row() for measure in measures if measure.ours)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """`load` counts the processes that wanted a core in the last minute; NaN where it is not known."""
    return {
        "python": platform.python_version(),
        "gradio": version("gradio"),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan"),
    }


def write(path: Path, measures: Iterable[Measure], quick: bool) -> None:
    figures = [measure.as_dict() for measure in measures if measure.ours]
    path.write_text(json.dumps({"machine": machine(), "quick": quick, "measures": figures}, indent=1) + "\n")
