"""The look keeps what LOOK promises: contrast, one radius, few sizes and weights, nothing remote."""

import re
from pathlib import Path

import pytest

from chat.ui import look
from chat.ui.look import ACCENT, ON_ACCENT, PAGE, QUIET, SIDE, TEXT, TINT, Shade

STATIC = Path(look.__file__).parent / "static"
SHEETS = "".join((STATIC / f"{name}.css").read_text("utf-8") for name in look.SHEETS)
SCRIPTS = "".join(path.read_text("utf-8") for path in STATIC.glob("*.js"))


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2 has it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [(front, back) for front in (TEXT, QUIET, ACCENT) for back in (PAGE, SIDE, TINT)] + [(ON_ACCENT, ACCENT)],
)
def test_text_is_readable_on_every_background(front: Shade, back: Shade, mode: str) -> None:
    assert contrast(getattr(front, mode), getattr(back, mode)) >= 4.5


def test_three_sizes_of_type_and_two_weights() -> None:
    sizes = set(re.findall(r"font-size:\s*(\d+px)", SHEETS)) | set(re.findall(r"font:[^;]*?(\d+px)/", SHEETS))
    assert sizes <= {"14px", "16px", "20px"}
    assert set(re.findall(r"font-weight:\s*(\w+)", SHEETS)) <= {"400", "600"}


def test_every_sheet_is_used() -> None:
    assert {path.stem for path in STATIC.glob("*.css")} == set(look.SHEETS)


def test_one_radius() -> None:
    """Beside it only what is round, and the small corner of small things."""
    radii = {value.strip() for value in re.findall(r"border-radius:([^;]+);", SHEETS)}
    assert radii <= {"var(--radius)", "50%", "4px", "1px", "0"}


def test_colours_come_from_the_table_alone() -> None:
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{]*;)", SHEETS)
    assert "gradient" not in SHEETS.replace("linear-gradient(to right, var(--accent)", "")


def test_nothing_is_fetched_from_elsewhere() -> None:
    assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)[a-z0-9]", SHEETS.replace("/*", ""))
    assert not re.search(r"https?://(?!www\.w3\.org)\w", SCRIPTS)
    assert look.theme._stylesheets == []
    assert not re.search(r"https?://(?!www\.w3\.org)", look.theme._get_theme_css())


def test_the_head_cannot_be_left_early() -> None:
    """One style and one script: nothing in them ends them before their end."""
    assert look.head.count("</style>") == look.head.count("</script>") == 1


def test_the_theme_is_light_and_dark() -> None:
    css = look.theme._get_theme_css()
    light, _, dark = css.partition(".dark")
    assert f"--body-background-fill: {PAGE.light}" in light
    assert f"--body-background-fill: {PAGE.dark}" in dark
    assert f"--body-text-color: {TEXT.dark}" in dark


def test_motion_can_be_reduced() -> None:
    assert "@media (prefers-reduced-motion: reduce)" in SHEETS


def test_the_login_page_has_the_pages_colours() -> None:
    sheet = (STATIC.parents[1] / "api" / "login.html").read_text("utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w+);", part))
        for part in sheet.split("@media (prefers-color-scheme: dark)")
    )
    names = {"page": look.PAGE, "side": look.SIDE, "text": look.TEXT, "quiet": look.QUIET, "line": look.LINE}
    names |= {"accent": look.ACCENT, "on-accent": look.ON_ACCENT}
    assert light == {name: shade.light for name, shade in names.items()}
    assert dark == {name: shade.dark for name, shade in names.items()}
