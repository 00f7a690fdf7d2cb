"""What a user might pick instead: each peer indexes texts once and then answers a text with ten postings.

Every peer runs with its own tokens and its own best settings that we know of; see `make_peers`.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

K = 10

Search = Callable[[str], Sequence[int]]


def scikit_learn(texts: Sequence[str]) -> tuple[Any, Any]:
    """Return a fitted vectorizer and the matrix, which three peers share."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(dtype=np.float32)
    return vectorizer, vectorizer.fit_transform(texts)


def nearest_neighbors(vectorizer: Any, matrix: Any) -> Search:
    """``NearestNeighbors(metric="cosine", algorithm="brute")``."""
    from sklearn.neighbors import NearestNeighbors

    neighbors = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(matrix)
    return lambda text: neighbors.kneighbors(vectorizer.transform([text]), return_distance=False)[0].tolist()


def matrix_product(vectorizer: Any, matrix: Any) -> Search:
    """``X @ q`` with scipy, then a partial sort."""

    def search(text: str) -> Sequence[int]:
        scores = (matrix @ vectorizer.transform([text]).T).toarray().ravel()
        best = np.argpartition(-scores, K)[:K]
        return best[np.argsort(-scores[best], kind="stable")].tolist()

    return search


def sparse_dot_topn(vectorizer: Any, matrix: Any) -> Search:
    """`sp_matmul_topn` of the query with the transposed matrix."""
    from sparse_dot_topn import sp_matmul_topn

    transposed = matrix.T.tocsr()

    def search(text: str) -> Sequence[int]:
        found = sp_matmul_topn(vectorizer.transform([text]), transposed, top_n=K, sort=True)
        return found.indices.tolist()

    return search


def bm25s(texts: Sequence[str], backend: str) -> Search:
    """bm25s with its own tokenizer and English stop words; backend numpy or numba."""
    import bm25s as package

    retriever = package.BM25(backend=backend)
    retriever.index(package.tokenize(list(texts), stopwords="en", show_progress=False), show_progress=False)
    if backend == "numba":
        retriever.activate_numba_scorer()

    def search(text: str) -> Sequence[int]:
        tokens = package.tokenize([text], stopwords="en", show_progress=False)
        return retriever.retrieve(tokens, k=K, show_progress=False).documents[0].tolist()

    return search


def tantivy(texts: Sequence[str]) -> Search:
    """tantivy in memory, one writer thread; the query is an OR of the text's words."""
    import re

    import tantivy as package

    builder = package.SchemaBuilder()
    builder.add_text_field("body", stored=False)
    builder.add_integer_field("row", stored=True, fast=True)
    index = package.Index(builder.build())
    writer = index.writer(heap_size=500_000_000, num_threads=1)
    for row, text in enumerate(texts):
        writer.add_document(package.Document(body=text, row=row))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(text: str) -> Sequence[int]:
        words = " ".join(dict.fromkeys(re.findall(r"\w+", text.lower())))
        hits = searcher.search(index.parse_query(words, ["body"]), K).hits
        return [searcher.doc(address)["row"][0] for _, address in hits]

    return search


def sqlite_fts5(texts: Sequence[str]) -> Search:
    """SQLite FTS5 in memory, ``ORDER BY bm25`` over an OR of the text's words."""
    import re

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE postings USING fts5(body, content='')")
    connection.executemany("INSERT INTO postings(rowid, body) VALUES (?, ?)", enumerate(texts))
    connection.execute("INSERT INTO postings(postings) VALUES ('optimize')")

    def search(text: str) -> Sequence[int]:
        words = " OR ".join(f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", text.lower())))
        rows = connection.execute(
            "SELECT rowid FROM postings WHERE postings MATCH ? ORDER BY bm25(postings) LIMIT ?", (words, K)
        )
        return [row for (row,) in rows]

    return search


def make_peers(texts: Sequence[str], names: Sequence[str]) -> dict[str, Search]:
    """Return the peers named, indexed; a peer whose package is missing is left out with a word."""
    makers: dict[str, Callable[[], Search]] = {
        "NearestNeighbors": lambda: nearest_neighbors(*shared()),
        "X @ q": lambda: matrix_product(*shared()),
        "sparse_dot_topn": lambda: sparse_dot_topn(*shared()),
        "bm25s numba": lambda: bm25s(texts, "numba"),
        "bm25s numpy": lambda: bm25s(texts, "numpy"),
        "tantivy": lambda: tantivy(texts),
        "SQLite FTS5": lambda: sqlite_fts5(texts),
    }
    fitted: list[tuple[Any, Any]] = []

    def shared() -> tuple[Any, Any]:
        if not fitted:
            fitted.append(scikit_learn(texts))
        return fitted[0]

    peers = {}
    for name in names or makers:
        try:
            peers[name] = makers[name]()
        except ImportError as error:
            print(f"{name}: left out ({error})")
    return peers
