"""A page of estimated areas and accuracies: one file, no script, opens by double click, offline.

Mapped and estimated hectares never share a column, and each says which it is.
"""

from __future__ import annotations

import base64
import hashlib
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from minetrace.publish.words import ESTIMATED, INTERVAL, hectares, percent

Facts = Mapping[str, Any]
_LEFT, _RIGHT, _ROW, _WIDTH = 120, 24, 34, 760  # of the plot, pixels


_DIFFER = {
    "point": "where they differ a point counts as half a mine",
    "block": "as more than half mined or not; the mean of their shares counts",
}
_KINDS = {"stays": "mined in both", "gained": "newly mined", "lost": "mined no more",
          "never": "mined in neither"}  # fmt: skip


def area_page(facts: Facts, title: str) -> str:
    """The page of one estimate.

    Args:
        facts: what ``estimates.json`` holds.
        title: of the run.
    """
    viewer = resources.files("minetrace.publish") / "viewer"
    style = "".join(
        viewer.joinpath(name).read_text(encoding="utf-8") for name in ("tally.css", "area.css")
    )
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    body = "\n".join(_body(facts, title))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{allowed}'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}: estimated areas</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _body(facts: Facts, title: str) -> Iterator[str]:
    labels = [row["period"] for row in facts["periods"]]
    yield f"<header><h1>{_text(title)}: mined hectares, {_text(' and '.join(labels))}</h1></header>"
    yield (
        f'<p class="muted">{facts["points"]:,} {_drawn(facts)} were drawn at random from '
        f"{hectares(facts['frame_ha'])} ha that were looked at, and checked by people.</p>"
    )
    if facts["warnings"]:
        told = "".join(f"<li>{_text(line)}</li>" for line in facts["warnings"])
        yield f'<ul class="warnings" aria-label="What this sample cannot carry">{told}</ul>'
    yield "<h2>Hectares</h2>"
    yield _plot(facts["periods"])
    yield _table(
        "Mined ground", ("Period", "Estimated", "95 % interval", "Standard error", _mapped(facts)),
        [
            (row["period"], hectares(row["estimated_ha"]["value"]), _span(row["estimated_ha"]),
             hectares(row["estimated_ha"]["standard_error"]), hectares(row["mapped_ha"]))
            for row in facts["periods"]
        ],
    )  # fmt: skip
    yield (
        f'<p class="muted small">Estimated hectares: {ESTIMATED}. Mapped hectares: {INTERVAL}; '
        "they are counted from the map, errors and all.</p>"
    )
    if "change" in facts:
        yield from _change(facts["change"])
    for row in facts["periods"]:
        yield from _period(row, facts.get("unit", "point"))
    yield from _method(facts.get("unit", "point"))


def _drawn(facts: Facts) -> str:
    """What was drawn, in words."""
    if facts.get("unit", "point") == "point":
        return "points"
    return f"blocks of {facts['block_m']:g} by {facts['block_m']:g} m"


def _mapped(facts: Facts) -> str:
    """What the hectares of the map measure, which a footprint model's are not mined ground."""
    return "Mapped" if facts["extent"] == "mined" else "Mapped footprints"


def _change(change: Facts) -> Iterator[str]:
    yield f"<h2>Change, {_text(change['from'])} to {_text(change['to'])}</h2>"
    words = (("net_ha", "Net"), ("gained_ha", "Newly mined"), ("lost_ha", "Mined no more"))
    yield _table(
        f"Of {change['answered_in_both']:,} points answered in both",
        ("Hectares", "Estimated", "95 % interval", "Standard error", "Mapped"),
        [
            (word, _signed(change[name]["value"]), _span(change[name]),
             hectares(change[name]["standard_error"]),
             _signed(change["mapped_net_ha"]) if name == "net_ha" else "–")
            for name, word in words
        ],
    )  # fmt: skip
    yield _table(
        "By kind of change", ("Kind", "Estimated, ha", "95 % interval", "Mapped, ha", "User's",
                              "95 % interval", "Producer's", "95 % interval"),
        [
            (_KINDS[part["kind"]], hectares(part["estimated_ha"]["value"]),
             _span(part["estimated_ha"]), hectares(part["mapped_ha"]),
             *(words for name in ("users", "producers")
               for words in (_share(part[name]["value"]), _span(part[name], _share))))
            for part in change["kinds"]
        ],
    )  # fmt: skip
    yield _matrix("Change matrix, per cent of the ground", change["matrix"], _KINDS)


def _period(row: Facts, unit: str) -> Iterator[str]:
    yield f"<h2>The map of {_text(row['period'])}</h2>"
    if row["matrix"] is None:
        yield (
            '<p class="muted">No accuracies: an answer says how much of a block is mined, not '
            "where in it. They take a sample of points.</p>"
        )
    else:
        yield from _accuracies(row)
    several = f"{unit.capitalize()}s"
    yield _table(
        "Strata", ("Stratum", "Hectares", several, "Mines", f"A {unit} stands for"),
        [
            (part["name"], hectares(part["area_ha"]), f"{part['answered']:,}",
             f"{part['mines']:.4g}", f"{hectares(part['a_point_stands_for_ha'])} ha")
            for part in row["strata"]
        ],
    )  # fmt: skip
    if row["territories"]:
        yield _table(
            "Territories", ("Territory", "Estimated", "95 % interval", several, "Mines"),
            [
                (part["territory"], hectares(part["estimated_ha"]["value"]),
                 _span(part["estimated_ha"]), f"{part['answered']:,}", f"{part['mines']:.4g}")
                for part in row["territories"]
            ],
        )  # fmt: skip
    yield f'<p class="muted small">{_text(" ".join(_checks(row, unit)))}</p>'


def _accuracies(row: Facts) -> Iterator[str]:
    names = (("users", "User's, of mine"), ("producers", "Producer's, of mine"),
             ("overall", "Overall"))  # fmt: skip
    yield _table(
        "Accuracy", ("", "Estimated", "95 % interval", "Standard error"),
        [
            (word, _share(row[name]["value"]), _span(row[name], _share),
             _share(row[name]["standard_error"]))
            for name, word in names
        ],
    )  # fmt: skip
    yield _matrix("Error matrix, per cent of the ground", row["matrix"], {})


def _matrix(caption: str, matrix: Facts, words: Mapping[str, str]) -> str:
    """Shares of the ground, mapped by true."""
    shares = matrix["shares"]
    names = [words.get(name, name) for name in matrix["classes"]]
    return _table(
        caption, ("Mapped", *(f"Truly {name}" for name in names), "All"),
        [
            (name, *(_per_cent(v) for v in line), _per_cent(sum(line)))
            for name, line in zip(names, shares, strict=True)
        ] + [("all", *(_per_cent(sum(c)) for c in zip(*shares, strict=True)), _per_cent(1.0))],
    )  # fmt: skip


def _checks(row: Facts, unit: str) -> Iterator[str]:
    leaned, shared = row["regression_ha"], row["ratio_ha"]
    yield (
        f"Leaning on the scores: {hectares(leaned['value'])} ha by regression (standard error "
        f"{hectares(leaned['standard_error'])}), {hectares(shared['value'])} ha by ratio "
        f"({hectares(shared['standard_error'])})."
    )
    yield (
        f"Standard error by the bootstrap: {hectares(row['bootstrap_standard_error_ha'])}; by "
        f"differences of neighbours, which counts in that {unit}s are spread: "
        f"{hectares(row['spread_standard_error_ha'])}."
    )
    usual = row["estimated_ha"]
    yield (
        "The usual interval, the estimate plus and minus 1.96 standard errors, would be "
        f"{hectares(usual['usual_low'])} to {hectares(usual['usual_high'])} ha; it is too short "
        "where a stratum holds few mines."
    )
    if row["without_answer"]:
        yield f"{row['without_answer']:,} {unit}s have no answer and count as not drawn."
    if both := row["interpreters"]:
        kappa = "not defined" if both["kappa"] is None else f"{both['kappa']:.2f}"
        yield (
            f"Two people answered {both['both']:,} {unit}s and agree on {percent(both['agreed'])} "
            f"(kappa {kappa}); {_DIFFER[unit]}."
        )


def _method(unit: str) -> Iterator[str]:
    yield "<h2>How it was computed</h2>"
    yield (
        f'<p class="small">{unit.capitalize()}s were drawn at random within strata of the map, '
        "each with a known chance, and spread over the land; the estimate is the stratified mean "
        "of what people saw "
        "(Olofsson et al. 2014; Stehman 2014), with a correction for the finite number of units. "
        "It does not depend on the map being right. Standard errors are those of a simple random "
        "sample within strata and rather too large for what is spread. Intervals are made of the "
        "score intervals of the strata (Zou, Huang and Zhang 2009), so that they hold for rare "
        "mines. What lies outside the ground that was looked at is not in any figure.</p>"
    )


def _plot(rows: Sequence[Facts]) -> str:
    """Estimated and mapped hectares by period, on one scale from zero."""
    most = max(
        max(row["estimated_ha"]["high"] or 0, row["mapped_ha"] or 0) for row in rows
    ) or 1.0  # fmt: skip
    step = _step(most)
    scale = (_WIDTH - _LEFT - _RIGHT) / (math.ceil(most / step) * step)
    height = _ROW * len(rows) + 44
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{_text(_spoken(rows))}">'
    ]
    for i in range(math.ceil(most / step) + 1):
        x = _LEFT + i * step * scale
        parts.append(f'<line class="rule" x1="{x:.1f}" y1="8" x2="{x:.1f}" y2="{height - 36}"/>')
        parts.append(
            f'<text class="faint" x="{x:.1f}" y="{height - 20}" text-anchor="middle">'
            f"{i * step:,.10g}</text>"
        )
    for number, row in enumerate(rows):
        y, found = 8 + _ROW * (number + 0.5), row["estimated_ha"]
        low, value, high, mapped = (
            _LEFT + scale * v for v in (found["low"], found["value"], found["high"],
                                        row["mapped_ha"])
        )  # fmt: skip
        parts += [
            f'<text x="{_LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{_text(row["period"])}'
            "</text>",
            f'<line class="reach" x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}"/>',
            f'<circle class="found" cx="{value:.1f}" cy="{y:.1f}" r="5"/>',
            f'<path class="mapped" d="M{mapped:.1f} {y - 8:.1f}l8 8l-8 8l-8 -8z"/>',
        ]
    parts.append(
        f'<text class="faint" x="{_LEFT}" y="{height - 2}">hectares: dot and bar estimated, '
        "95 % interval; diamond mapped</text></svg>"
    )
    return f"<figure>{''.join(parts)}</figure>"


def _step(most: float) -> float:
    """A round step that gives four to eight marks."""
    rough = most / 6
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * f for f in (1, 2, 5, 10) if power * f >= rough)


def _spoken(rows: Sequence[Facts]) -> str:
    return "; ".join(
        f"{row['period']}: {hectares(row['estimated_ha']['value'])} hectares estimated, "
        f"{_span(row['estimated_ha'])}, {hectares(row['mapped_ha'])} mapped"
        for row in rows
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(
        f'<th scope="col"{_right(i)}>{_text(word)}</th>' if word else "<td></td>"
        for i, word in enumerate(head)
    )
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td{_right(1)}>{_text(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )  # fmt: skip
    return (
        f'<div class="wide"><table><caption>{_text(caption)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _right(place: int) -> str:
    return ' class="number"' if place else ""


def _span(told: Facts, words: Any = None) -> str:
    if told["low"] is None or told["high"] is None:
        return "–"
    word = words or _signed
    return f"{word(told['low'])} to {word(told['high'])}"


def _signed(value: float | None) -> str:
    return hectares(value) if value is None or value >= 0 else f"−{hectares(-value)}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _per_cent(share: float) -> str:
    return f"{100 * share:.3f}"


def _text(value: object) -> str:
    return html.escape(str(value))
