"""The static map inside a notebook: one frame that holds the whole page."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = re.compile(r'<script src="([^"]+)"></script>')
_STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
# a frame without an address of its own may not change it
_NO_ADDRESS = (
    "<script>for (const verb of ['replaceState', 'pushState']) {"
    "const real = history[verb].bind(history);"
    "history[verb] = (...given) => { try { real(...given) } catch { /* framed */ } } }</script>"
)
LARGEST_BYTES = 60_000_000  # above it a notebook file would become too heavy to save


@dataclass(frozen=True)
class NotebookMap:
    """A map that shows itself as the last line of a cell.

    Attributes:
        folder: the map's folder.
        height: of the frame, CSS pixels.
    """

    folder: Path
    height: int = 640

    @property
    def page(self) -> Path:
        """The page to open in a browser."""
        return self.folder / "index.html"

    def _repr_html_(self) -> str:
        held = sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file())
        if held > LARGEST_BYTES:
            return (
                f"<p>This map is too large for a notebook ({held / 1e6:.0f} MB); open "
                f"<code>{html.escape(str(self.page.resolve()))}</code> in a browser.</p>"
            )
        return (
            f'<iframe title="map" srcdoc="{html.escape(one_page(self.folder))}" '
            f'style="width:100%;height:{self.height}px;border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"map at {self.page.resolve()}: open it in a browser"


def one_page(folder: Path) -> str:
    """The map's page with its scripts and styles inside, so that it needs no other file."""

    def script(found: re.Match[str]) -> str:
        code = (folder / found[1]).read_text(encoding="utf-8")
        # a closing tag inside a string would end the script
        return (
            "<script>" + re.sub(r"</(script)", r"<\\/\1", code, flags=re.IGNORECASE) + "</script>"
        )

    def style(found: re.Match[str]) -> str:
        return "<style>" + (folder / found[1]).read_text(encoding="utf-8") + "</style>"

    page = (folder / "index.html").read_text(encoding="utf-8")
    # its policy allows files beside it only, and here there are none
    return _SCRIPT.sub(script, _STYLE.sub(style, _POLICY.sub(_NO_ADDRESS, page, count=1)))
