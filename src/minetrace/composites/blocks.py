"""Cutting a rectangle so that the looks at each piece fit into memory."""

from __future__ import annotations

from minetrace.core.grid import Rect

BLOCK_PX = 256  # side of the blocks that COGs are stored in


def blocks_for_budget(
    n_dates: int, n_bands: int, rect: Rect, budget_bytes: int, *, most_rows: int | None = None
) -> list[Rect]:
    """Pieces of a rectangle, each of whole lattice blocks, for which all looks fit the budget.

    Pieces are as many whole rows of blocks as fit; where not even one row does, runs of blocks of
    one row. Together they cover ``rect`` once, in row-major order, so each block of a file that
    lies on the lattice is read once. More dates make pieces smaller, not memory larger, down to the
    floor of one block of 256 by 256 pixels: about 0.9 MB a date at six bands, whatever the budget.

    Args:
        n_dates: looks that may be held at once.
        n_bands: bands of each look.
        rect: what is to be covered.
        budget_bytes: memory for looks, for one being read, and for the composite.
        most_rows: no piece is higher, although memory would allow it (but for one block), so that
            each is reduced while the next is read.
    """
    if rect.empty:
        return []
    blocks = max(1, budget_bytes // (bytes_per_px(n_dates, n_bands) * BLOCK_PX**2))
    across = rect.snapped(BLOCK_PX).width // BLOCK_PX
    if blocks >= across:
        rows = int(blocks // across) * BLOCK_PX
        if most_rows is not None:
            rows = min(rows, max(1, most_rows // BLOCK_PX) * BLOCK_PX)
        return [piece & rect for piece in _strips(rect, rows)]
    lines = _strips(rect, BLOCK_PX)
    return [piece & rect for line in lines for piece in _runs(line, int(blocks) * BLOCK_PX)]


def bytes_per_px(n_dates: int, n_bands: int) -> int:
    """Memory that one pixel takes while its composite is made, bytes.

    Each look holds int16 bands and a mask; reading one more takes about four times as much for a
    moment; the composite holds as much as two looks.
    """
    look = 2 * n_bands + 1
    return n_dates * look + 6 * look + 16


def _strips(rect: Rect, height: int) -> list[Rect]:
    first = rect.row // BLOCK_PX * BLOCK_PX
    return [Rect(row, rect.col, height, rect.width) for row in range(first, rect.row_stop, height)]


def _runs(row: Rect, width: int) -> list[Rect]:
    first = row.col // BLOCK_PX * BLOCK_PX
    return [Rect(row.row, col, row.height, width) for col in range(first, row.col_stop, width)]
