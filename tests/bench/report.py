"""What a measurement is, its aim, and the table.

A `Measure` holds the figures of each run of both pages; the report takes medians. An aim is either
against the bare page (a ratio) or a figure of ours alone (seconds, or a ratio to the ideal).
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

Against = Literal["bare", "alone"]


@dataclass
class Measure:
    """`aim` holds for ours ÷ bare, or for ours when `against` is alone."""

    name: str
    unit: str
    aim: float
    against: Against = "bare"
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def add(self, page: str, figure: float) -> None:
        (self.ours if page == "ours" else self.bare).append(figure)

    @property
    def value(self) -> float:
        """What is held against the aim."""
        return (
            median(self.ours) / (median(self.bare) or 1e-9) if self.against == "bare" else median(self.ours)
        )

    @property
    def kept(self) -> bool:
        return self.value <= self.aim

    def row(self) -> list[str]:
        sign, verdict = ("×", "ratio") if self.against == "bare" else (self.unit, "alone")
        bare = f"{median(self.bare):.3g}" if self.bare else "–"
        runs = (
            f"{len(self.ours)}"
            if len(self.bare) in (0, len(self.ours))
            else f"{len(self.ours)}/{len(self.bare)}"
        )
        value = f"{self.value:.2f}×" if verdict == "ratio" else f"{self.value:.3g} {sign}"
        return [
            self.name,
            self.unit,
            f"{median(self.ours):.3g}",
            bare,
            value,
            f"≤ {self.aim:g}{'×' if sign == '×' else f' {sign}'}",
            runs,
            "ok" if self.kept else f"missed by {self.value / self.aim - 1:.0%}",
        ]

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "bare": self.bare,
            "against": self.against,
            "value": self.value,
            "aim": self.aim,
            "ok": self.kept,
        }


HEAD = ["what", "unit", "ours", "bare", "measured", "aim", "runs", ""]


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
