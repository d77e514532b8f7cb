"""The look: a Gradio theme, the style sheet and the scripts of the page, for `mount_gradio_app`.

The theme gives Gradio's own variables our few values; the style sheets in static/ do the rest.
Light and dark are two columns of one small table, here. `page.mount` passes the three on.
"""

from pathlib import Path
from typing import NamedTuple

from gradio.themes import Base
from gradio.themes.utils import sizes

_STATIC = Path(__file__).parent / "static"


class Shade(NamedTuple):
    light: str
    dark: str


PAGE = Shade("#ffffff", "#15181a")
"""Behind the text."""
SIDE = Shade("#f6f7f7", "#1b1f21")
"""Behind the sidebar, code and the like."""
TEXT = Shade("#1b1f22", "#e4e7e8")
QUIET = Shade("#5d666b", "#9ba5aa")
"""The first grey: labels, figures, footers. At least 4.5 : 1 on both backgrounds."""
LINE = Shade("#dfe3e4", "#2f3538")
"""The second grey: hairlines."""
ACCENT = Shade("#0a6a86", "#66bcd6")
TINT = Shade("#e6f1f4", "#1d2f36")
"""The accent, thinned: what the person said, what is selected."""
ON_ACCENT = Shade("#ffffff", "#10181b")

SHEETS = (
    *("style", "chat", "actions", "text", "box", "sidebar", "controls", "keys"),
    *("activity", "chats", "person", "small", "print"),
)

RADIUS = "8px"
SMALL, NORMAL, LARGE = "14px", "16px", "20px"

_SANS = ("Plex", "ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO = ("Plex Mono", "ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def _theme() -> Base:
    radius = sizes.Size("radius_runnel", *[RADIUS] * 7)
    text = sizes.Size("text_runnel", SMALL, SMALL, SMALL, SMALL, NORMAL, LARGE, LARGE)
    theme = Base(
        font=_SANS, font_mono=_MONO, radius_size=radius, text_size=text, spacing_size=sizes.spacing_md
    )
    values: dict[str, Shade | str] = {
        "body_background_fill": PAGE,
        "body_text_color": TEXT,
        "body_text_color_subdued": QUIET,
        "body_text_size": SMALL,
        "background_fill_primary": PAGE,
        "background_fill_secondary": SIDE,
        "border_color_primary": LINE,
        "border_color_accent": ACCENT,
        "border_color_accent_subdued": LINE,
        "color_accent": ACCENT.light,
        "color_accent_soft": TINT,
        "link_text_color": ACCENT,
        "link_text_color_hover": ACCENT,
        "link_text_color_active": ACCENT,
        "link_text_color_visited": ACCENT,
        "code_background_fill": SIDE,
        "shadow_drop": "none",
        "shadow_drop_lg": "none",
        "shadow_inset": "none",
        "shadow_spread": "0px",
        "block_background_fill": "transparent",
        "block_border_width": "0px",
        "block_border_color": LINE,
        "block_shadow": "none",
        "block_padding": "0px",
        "block_radius": RADIUS,
        "block_info_text_color": QUIET,
        "block_info_text_size": SMALL,
        "block_info_text_weight": "400",
        "block_label_background_fill": "transparent",
        "block_label_border_width": "0px",
        "block_label_text_color": QUIET,
        "block_label_text_size": SMALL,
        "block_label_text_weight": "400",
        "block_title_background_fill": "transparent",
        "block_title_text_color": QUIET,
        "block_title_text_size": SMALL,
        "block_title_text_weight": "400",
        "section_header_text_size": SMALL,
        "section_header_text_weight": "600",
        "panel_background_fill": "transparent",
        "panel_border_width": "0px",
        "layout_gap": "16px",
        "form_gap_width": "0px",
        "container_radius": RADIUS,
        "embed_radius": RADIUS,
        "input_background_fill": PAGE,
        "input_background_fill_focus": PAGE,
        "input_background_fill_hover": PAGE,
        "input_border_color": LINE,
        "input_border_color_focus": ACCENT,
        "input_border_color_hover": QUIET,
        "input_border_width": "1px",
        "input_placeholder_color": QUIET,
        "input_shadow": "none",
        "input_shadow_focus": "none",
        "input_padding": "8px 12px",
        "input_text_size": SMALL,
        "input_text_weight": "400",
        "checkbox_background_color": PAGE,
        "checkbox_background_color_focus": PAGE,
        "checkbox_background_color_hover": PAGE,
        "checkbox_background_color_selected": ACCENT,
        "checkbox_border_color": QUIET,
        "checkbox_border_color_focus": ACCENT,
        "checkbox_border_color_hover": ACCENT,
        "checkbox_border_color_selected": ACCENT,
        "checkbox_border_width": "1px",
        "checkbox_border_radius": "4px",
        "checkbox_shadow": "none",
        "checkbox_label_background_fill": "transparent",
        "checkbox_label_background_fill_hover": "transparent",
        "checkbox_label_background_fill_selected": "transparent",
        "checkbox_label_border_width": "0px",
        "checkbox_label_padding": "4px 0",
        "checkbox_label_gap": "4px",
        "checkbox_label_shadow": "none",
        "checkbox_label_text_color": TEXT,
        "checkbox_label_text_color_selected": TEXT,
        "checkbox_label_text_size": SMALL,
        "checkbox_label_text_weight": "400",
        "slider_color": ACCENT,
        "stat_background_fill": ACCENT,
        "loader_color": ACCENT,
        "error_background_fill": SIDE,
        "error_border_color": LINE,
        "error_border_width": "1px",
        "error_text_color": TEXT,
        "error_icon_color": QUIET,
        "table_border_color": LINE,
        "table_even_background_fill": "transparent",
        "table_odd_background_fill": "transparent",
        "table_text_color": TEXT,
        "table_radius": RADIUS,
        "button_border_width": "1px",
        "button_transform_hover": "none",
        "button_transform_active": "none",
        "button_transition": "background-color 0.1s",
        "button_large_radius": RADIUS,
        "button_medium_radius": RADIUS,
        "button_small_radius": RADIUS,
        "button_large_text_size": SMALL,
        "button_medium_text_size": SMALL,
        "button_small_text_size": SMALL,
        "button_large_text_weight": "400",
        "button_medium_text_weight": "400",
        "button_small_text_weight": "400",
        "button_small_padding": "4px 12px",
        "button_primary_background_fill": ACCENT,
        "button_primary_background_fill_hover": ACCENT,
        "button_primary_border_color": ACCENT,
        "button_primary_text_color": ON_ACCENT,
        "button_primary_shadow": "none",
        "button_secondary_background_fill": "transparent",
        "button_secondary_background_fill_hover": TINT,
        "button_secondary_border_color": LINE,
        "button_secondary_border_color_hover": LINE,
        "button_secondary_text_color": TEXT,
        "button_secondary_text_color_hover": TEXT,
        "button_secondary_shadow": "none",
    }
    shades = {}
    for name, value in values.items():
        light, dark = value if isinstance(value, Shade) else (value, value)
        shades[name] = light
        if hasattr(theme, f"{name}_dark"):
            shades[f"{name}_dark"] = dark
    theme.set(**shades)
    theme.name = "runnel"
    return theme


def _css() -> str:
    """The table above as variables, then the style sheets."""
    names = {"page": PAGE, "side": SIDE, "text": TEXT, "quiet": QUIET, "line": LINE}
    names |= {"accent": ACCENT, "tint": TINT, "on-accent": ON_ACCENT}
    light = "".join(f"--{name}:{shade.light};" for name, shade in names.items())
    dark = "".join(f"--{name}:{shade.dark};" for name, shade in names.items())
    sheets = "\n".join((_STATIC / f"{name}.css").read_text("utf-8") for name in SHEETS)
    return f":root{{{light}}}\n.dark{{{dark}}}\n{sheets}\n@media print {{:root, .dark{{{light}}}}}"


theme = _theme()

css = ""
"""Nothing: Gradio would send each rule twice, once with a prefix. The style sheet is in `head`."""

head = f"<style>{_css()}</style><script>{(_STATIC / 'page.js').read_text('utf-8')}</script>"
