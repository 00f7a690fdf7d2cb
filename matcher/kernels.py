"""Compiled scans over integer counts (needs the extra ``[fast]``, which installs numba).

Nothing here decides a ranking: a scan proposes rows with scores in float32, and `matcher.index` certifies
them by rescoring in float64. All kernels release the GIL.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

__all__: Final = [
    "BLOCK",
    "PAGE",
    "add_products",
    "add_rows",
    "add_squares",
    "fill_layout",
    "match_entries",
    "scan",
    "sum_rows",
]

PAGE: Final = 4096
"""Postings in a page: its sums (16 KiB) stay in the first-level cache while dense rows stream by."""

BLOCK: Final = 1 << 16
"""Postings in a block: a row within it fits 16 bits."""

_HALF: Final = PAGE // 2
_PAGES: Final = BLOCK // PAGE


@njit(cache=True, nogil=True)
def fill_layout(
    starts: Any,
    rows: Any,
    counts: Any,
    dense_row: Any,
    blocks: int,
    dense: Any,
    ends: Any,
    local: Any,
    small: Any,
) -> None:
    """Distribute term-major counts over dense rows and compact lists.

    A frequent term (``dense_row[term] >= 0``) keeps up to 15 of each count in a half byte of its dense row:
    the low half holds the first half of a page, the high half the second. Everything else becomes entries
    of a 16-bit row and an 8-bit count, several when a count does not fit.

    Parameters
    ----------
    starts, rows, counts : ndarray
        Term-major counts.
    dense_row : ndarray of int32, shape (terms,)
        Position among the frequent terms, or -1.
    blocks : int
        Number of blocks.
    dense : ndarray of uint8, shape (pages, frequent terms, PAGE // 2)
        Filled; zero before.
    ends : ndarray of int64, shape (terms * blocks + 1,)
        In the first pass (`local` empty) counts entries into ``ends[i + 1]``; in the second, where the next
        entry of list i goes.
    local, small : ndarray of uint16 and uint8
        Filled in the second pass.
    """
    counting = local.shape[0] == 0
    for term in range(dense_row.shape[0]):
        position = dense_row[term]
        for entry in range(starts[term], starts[term + 1]):
            row = rows[entry]
            count: Any = np.int64(counts[entry])
            if position >= 0:
                kept: Any = min(count, 15)
                count -= kept
                if counting:
                    offset = row % PAGE
                    if offset < _HALF:
                        dense[row // PAGE, position, offset] |= np.uint8(kept)
                    else:
                        dense[row // PAGE, position, offset - _HALF] |= np.uint8(kept << 4)
            place = term * blocks + row // BLOCK
            while count > 0:
                part: Any = min(count, 255)
                count -= part
                if counting:
                    ends[place + 1] += 1
                else:
                    local[ends[place]] = row % BLOCK
                    small[ends[place]] = part
                    ends[place] += 1


@njit(cache=True, nogil=True, fastmath=True)
def _add_dense(dense: Any, page: int, places: Any, weights: Any, low: Any, high: Any) -> None:
    """Add the weighted dense rows of one page, four at a time so that sums stay in registers."""
    number = places.shape[0]
    i = 0
    while i + 4 <= number:
        row0 = dense[page, places[i]]
        row1 = dense[page, places[i + 1]]
        row2 = dense[page, places[i + 2]]
        row3 = dense[page, places[i + 3]]
        w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for d in range(_HALF):
            a, b, c, e = np.int32(row0[d]), np.int32(row1[d]), np.int32(row2[d]), np.int32(row3[d])
            low[d] += (
                w0 * np.float32(a & 15)
                + w1 * np.float32(b & 15)
                + w2 * np.float32(c & 15)
                + w3 * np.float32(e & 15)
            )
            high[d] += (
                w0 * np.float32(a >> 4)
                + w1 * np.float32(b >> 4)
                + w2 * np.float32(c >> 4)
                + w3 * np.float32(e >> 4)
            )
        i += 4
    while i < number:
        row0 = dense[page, places[i]]
        w0 = weights[i]
        for d in range(_HALF):
            a = np.int32(row0[d])
            low[d] += w0 * np.float32(a & 15)
            high[d] += w0 * np.float32(a >> 4)
        i += 1


@njit(cache=True, nogil=True, fastmath=True)
def _insert(sums: Any, allowed: Any, first: int, count: int, values: Any, rows: Any) -> None:
    """Put sums above the least of `values` (ascending) into it, with their rows."""
    masked = allowed.shape[0] > 0
    least = values[0]
    start = 0
    while start < count:
        stop = min(start + 64, count)
        best = np.float32(0.0)
        for i in range(start, stop):
            best = max(best, sums[i])
        if best > least:
            for i in range(start, stop):
                value = sums[i]
                if value > least and (not masked or allowed[first + i]):
                    place = 0
                    while place + 1 < values.shape[0] and values[place + 1] < value:
                        values[place] = values[place + 1]
                        rows[place] = rows[place + 1]
                        place += 1
                    values[place] = value
                    rows[place] = first + i
                    least = values[0]
        start = stop


@njit(cache=True, nogil=True, fastmath=True)
def scan(  # noqa: PLR0912 - one pass, kept whole so that it compiles to one function
    total: int,
    block: int,
    blocks: int,
    dense: Any,
    ends: Any,
    local: Any,
    small: Any,
    dense_places: Any,
    dense_weights: Any,
    terms: Any,
    weights: Any,
    scale: Any,
    side_starts: Any,
    side_stops: Any,
    side_rows: Any,
    side_counts: Any,
    side_weights: Any,
    side_scale: Any,
    extra: Any,
    lift: Any,
    allowed: Any,
    sums: Any,
    best_values: Any,
    best_rows: Any,
) -> None:
    """Score the postings of one block and keep the best.

    Parameters
    ----------
    total : int
        Number of postings.
    block : int
        Which block to scan.
    blocks : int
        How many there are.
    dense, ends, local, small
        The layout of the main block of features, from `fill_layout`.
    dense_places, dense_weights : ndarray of int64 and float32
        The query's frequent terms: places among the dense rows, and weights.
    terms, weights : ndarray of int32 and float32
        All of the query's terms of the main block of features.
    scale : ndarray of float32, shape (postings,)
        What a posting's sum over the main block is multiplied by.
    side_starts, side_stops, side_rows, side_counts, side_weights : ndarray
        The query's terms of the other blocks of features: ranges of ascending rows, with counts.
    side_scale : ndarray of float32, shape (other blocks, postings); `side_weights` has two columns,
        the weight and which of these rows to use.
    extra : ndarray of float32, shape (BLOCK,) or (0,)
        Added to the scores of this block, see `sum_rows`.
    lift : ndarray of float32, shape (postings,) or (0,)
        Added to every score.
    allowed : ndarray of bool, shape (postings,) or (0,)
    sums : ndarray of float32, shape (BLOCK,)
        Scratch.
    best_values, best_rows : ndarray of float32 and int64
        The best so far, ascending; updated.
    """
    first = block * BLOCK
    count = min(BLOCK, total - first)
    sums[:] = np.float32(0.0)
    for i in range(terms.shape[0]):
        place = terms[i] * blocks + block
        weight = weights[i]
        for entry in range(ends[place], ends[place + 1]):
            sums[local[entry]] += weight * np.float32(small[entry])
    masked = allowed.shape[0] > 0
    for page in range((count + PAGE - 1) // PAGE):
        begin = page * PAGE
        stop = min(begin + PAGE, count)
        wanted = not masked
        if masked:
            for i in range(begin, stop):
                wanted |= allowed[first + i]
        if wanted:
            _add_dense(
                dense,
                block * _PAGES + page,
                dense_places,
                dense_weights,
                sums[begin : begin + _HALF],
                sums[begin + _HALF : begin + PAGE],
            )
    for i in range(count):
        sums[i] *= scale[first + i]
    for i in range(side_starts.shape[0]):
        low, high = side_starts[i], side_stops[i]
        while low < high:  # the first entry in this block
            middle = (low + high) // 2
            if side_rows[middle] < first:
                low = middle + 1
            else:
                high = middle
        scales = side_scale[np.int64(side_weights[i, 1])]
        while low < side_stops[i] and side_rows[low] < first + count:
            row = side_rows[low]
            sums[row - first] += side_weights[i, 0] * np.float32(side_counts[low]) * scales[row]
            low += 1
    if extra.shape[0] > 0:
        for i in range(count):
            sums[i] += extra[i]
    if lift.shape[0] > 0:
        for i in range(count):
            sums[i] += lift[first + i]
    _insert(sums, allowed, first, count, best_values, best_rows)


@njit(cache=True, nogil=True)
def add_products(vectors: Any, first: int, vector: Any, shift: int, unit: Any, scale: Any, sums: Any) -> None:
    """Add to the scores of some postings what dense vectors add: ``256 * product - shift`` where above 0.

    Parameters
    ----------
    vectors : ndarray of int8, shape (postings, dimensions)
    first : int
        The first of the postings.
    vector : ndarray of int16, shape (dimensions,)
        The profile's; products fit 32 bits (`matcher.dense.quantise_profiles`).
    shift : int
        The vector's product with the centre; see `matcher.dense.CentredVectors`.
    unit : float32
        ``1 / |vector|``
    scale : ndarray of float32, shape (postings,)
        What the products are multiplied by, besides.
    sums : ndarray of float32, shape (some,)
        One for each posting from `first` on; added to.
    """
    for i in range(sums.shape[0]):
        row = vectors[first + i]
        product: Any = np.int32(0)
        for d in range(vector.shape[0]):
            # Narrowed after every step, or the compiler multiplies in 64 bits.
            product = np.int32(product + np.int32(np.int32(row[d]) * np.int32(vector[d])))
        centred = np.int64(product) * 256 - shift
        if centred > 0:
            sums[i] += np.float32(centred) * unit * scale[first + i]


@njit(cache=True, nogil=True)
def sum_rows(
    starts: Any, columns: Any, counts: Any, weights: Any, scale: Any, first: int, count: int, extra: Any
) -> None:
    """Add what one block of features adds to the scores of the postings of a block, posting by posting.

    For queries with so many features that following their lists would take longer.

    Parameters
    ----------
    starts, columns, counts : ndarray
        Posting-major counts, see `matcher.counts.Counts`.
    weights : ndarray of float32
        Of all columns; 0 for those that are not the query's.
    scale : ndarray of float32, shape (postings,)
        What a posting's sum is multiplied by.
    first, count : int
        The first posting, and how many there are.
    extra : ndarray of float32, shape (BLOCK,)
        Added to.

    Examples
    --------
    >>> extra = np.zeros(1, np.float32)
    >>> one = np.ones(1, np.float32)
    >>> sum_rows(np.array([0, 1]), np.array([0]), np.array([2]), one, one, 0, 1, extra)
    >>> extra
    array([2.], dtype=float32)
    """
    for i in range(count):
        total = np.float32(0.0)
        for entry in range(np.uint64(starts[first + i]), np.uint64(starts[first + i + 1])):
            total += weights[np.uint32(columns[entry])] * np.float32(counts[entry])
        extra[i] += total * scale[first + i]


@njit(cache=True, nogil=True)
def match_entries(
    starts: Any, columns: Any, counts: Any, features: Any, rows: Any, positions: Any, places: Any, found: Any
) -> Any:
    """Find the entries of some rows of a matrix that are in some columns.

    Parameters
    ----------
    starts, columns, counts : ndarray
        The matrix, see `matcher.counts.Counts`.
    features : ndarray of int32
        Columns, ascending.
    rows : ndarray of int64
    positions, places, found : ndarray of int64
        Filled: position in `rows`, position in `features`, and count of each entry.

    Returns
    -------
    int
        How many there are.
    """
    number = np.int64(0)
    for position in range(rows.shape[0]):
        place = 0
        for entry in range(starts[rows[position]], starts[rows[position] + 1]):
            column = columns[entry]
            step = 1  # strides that double: rows may be short, and features many
            while place + step < features.shape[0] and features[place + step] < column:
                place += step
                step *= 2
            while step > 0:
                if place + step < features.shape[0] and features[place + step] < column:
                    place += step
                step //= 2
            if place < features.shape[0] and features[place] < column:
                place += 1
            if place == features.shape[0]:
                break
            if features[place] == column:
                positions[number] = position
                places[number] = place
                found[number] = counts[entry]
                number += 1
    return number


@njit(cache=True, nogil=True)
def add_rows(
    starts: Any, columns: Any, counts: Any, rows: Any, weights: Any, scale: Any, scores: Any
) -> None:
    """Add the scores of some rows of a matrix.

    Parameters
    ----------
    starts, columns, counts : ndarray
        The matrix, see `matcher.counts.Counts`.
    rows : ndarray of int64
    weights : ndarray of float64
        Of all columns.
    scale : ndarray of float64
        What the sum of each of the `rows` is multiplied by.
    scores : ndarray of float64
        Added to, one for each of the `rows`.
    """
    for position in range(rows.shape[0]):
        total = 0.0
        for entry in range(starts[rows[position]], starts[rows[position] + 1]):
            total += counts[entry] * weights[columns[entry]]
        scores[position] += total * scale[position]


@njit(cache=True, nogil=True)
def add_squares(starts: Any, columns: Any, counts: Any, weights: Any, sums: Any) -> None:
    """Write the sum of squared weighted counts of each row, added from its first entry to its last.

    Parameters
    ----------
    starts, columns, counts : ndarray
        The matrix, see `matcher.counts.Counts`.
    weights : ndarray of float64
        Of all columns.
    sums : ndarray of float64
        One for each row.
    """
    for row in range(sums.shape[0]):
        total = 0.0
        for entry in range(starts[row], starts[row + 1]):
            value = counts[entry] * weights[columns[entry]]
            total += value * value
        sums[row] = total
