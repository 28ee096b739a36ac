"""The audit as a page: Markdown for a terminal or a repository, HTML for a training report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from minetrace.chips.audit import Audit

KINDS = {
    "place": "same place, same period", "other period": "same place, another period",
    "ground": "overlapping ground", "near": "too near", "copies": "copies by content",
    "balance": "balance of classes",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A heading, a sentence below it, and rows whose first is the head."""

    heading: str
    text: str
    rows: Sequence[Sequence[str]]


def markdown(found: Audit) -> str:
    """The page as Markdown."""
    parts = [f"# Audit of {found.name}", "", f"**{_sentence(found)}**", "",
             f"Version `{found.version}`."]  # fmt: skip
    for table in _tables(found):
        parts += ["", f"## {table.heading}", "", table.text]
        if len(table.rows) > 1:
            head, *rows = table.rows
            parts += ["", _row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join(parts) + "\n"


def html(found: Audit) -> str:
    """The page as a fragment of HTML: a section that any report can take in."""
    parts = [f'<section class="audit"><h2>Audit of {escape(found.name)}</h2>',
             f'<p class="{"leak" if found.leaks else "clean"}"><strong>'
             f"{escape(_sentence(found))}</strong></p>",
             f"<p>Version <code>{escape(found.version)}</code>.</p>"]  # fmt: skip
    for table in _tables(found):
        parts.append(f"<h3>{escape(table.heading)}</h3><p>{escape(table.text)}</p>")
        if len(table.rows) > 1:
            head, *rows = table.rows
            body = "".join(_cells(row, "td") for row in rows)
            parts.append(f"<table><thead>{_cells(head, 'th')}</thead><tbody>{body}</tbody></table>")
    return "\n".join([*parts, "</section>", ""])


def _sentence(found: Audit) -> str:
    text = found.verdict[0].upper() + found.verdict[1:] + "."
    return f"{text} Used all the same: {found.allowed}" if found.allowed else text


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _tables(found: Audit) -> list[Table]:
    whole = sum(found.splits.values())
    splits = [("split", "chips", "share")] + [
        (name or "in none", f"{n:,}", f"{n / whole:.1%}") for name, n in found.splits.items()
    ]
    findings = [("looked for", "found", "leak", "such as")] + [
        (KINDS.get(f.what, f.what), f.text, "yes" if f.leaks else "no",
         "; ".join(f"{a} = {b}" for a, b in f.examples[:2]))
        for f in found.findings
    ]  # fmt: skip
    tables = [
        Table("Splits", f"{whole:,} chips.", splits),
        Table("Findings", "What the splits share." if found.findings else "Nothing was found.",
              findings),
    ]  # fmt: skip
    if found.distances:
        tables.append(_distances(found))
    if found.balance:
        tables.append(_balance(found))
    if found.unknown:
        tables.append(Table("Not looked for", "; ".join(found.unknown) + ".", ()))
    return tables


def _distances(found: Audit) -> Table:
    quantiles = list(next(iter(found.distances.values())))
    rows = [("from … to the nearest of …", *quantiles)] + [
        (pair, *(_metres(q[name]) for name in quantiles)) for pair, q in found.distances.items()
    ]
    return Table("Distances", "Metres between the edges of chips, by share of chips below it; "
                 "0 m: they touch, which is allowed, or overlap, which is a finding above.",
                 rows)  # fmt: skip


def _metres(value: float) -> str:
    return f"{value:,.0f} m" if value < 10_000 else f"{value / 1000:,.0f} km"


def _balance(found: Audit) -> Table:
    words = list(next(iter(found.balance.values())))
    rows = [("split", *words)] + [
        (name, *(_share(shares.get(word, 0)) for word in words))
        for name, shares in found.balance.items()
    ]
    return Table("Classes", "Share of the pixels (of the chips, where they are labelled as a "
                 "whole); ignore: nobody knows.", rows)  # fmt: skip


def _share(value: float) -> str:
    """Percent with two digits that count: a mine is rarely a hundredth of the pixels."""
    return f"{value:.2%}" if value == 0 or value >= 0.001 else f"{float(f'{100 * value:.1e}'):.7g}%"
