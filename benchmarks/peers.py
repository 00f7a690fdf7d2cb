"""What a user might pick instead: each peer indexes texts once and then answers a text with ten postings.

Every peer runs with its own tokens and the best settings that we know of. Where the best depends on the size
of the corpus, several ways are offered, and the benchmark takes the quickest of a trial on the spot. Tried on
10,000 postings, one CV of 325 distinct terms, milliseconds:

scikit-learn      float32 (as quick as float64, half the memory). `NearestNeighbors`: n_jobs=None 21, 2: 44;
                  euclidean instead of cosine, which ranks the same: 19 to 89. A batch costs about 1 ms a CV,
                  because the matrix is normalised once for all.
X @ q             q sparse 16, q dense 2.3. By term, from the transposed matrix: q @ X.T 2.1, the rows of q's
                  terms cut out and multiplied 1.2; that is a row of its own, "q @ X.T".
sparse_dot_topn   transposed once to CSR (20 without); n_threads=1 1.7, 2: 1.4 to 11; threshold=0 saves a
                  fifth.
bm25s             lists of tokens made with its own expression and stop words 1.3, `tokenize` of one text
                  2.0 (numba); 3.5 and 4.1 (numpy). n_threads makes no difference for one CV. Indexing:
                  csc_backend="scipy" 0.6 s, "numpy" 0.9 s; `tokenize` beats the class `Tokenizer`.
tantivy           a Boolean query of terms 3.0, `parse_query` 3.4; no difference: count=False, positions left
                  out, in memory or on disk. Positions left out index a fifth quicker. Threads scale.
SQLite FTS5       about 1 s a CV at 10,000: left out beyond.

Resident memory at 1,000,000 postings, estimated, in GB; a file that several processes map counts once. Matrix
1.8 each for NearestNeighbors and X @ q; transposed 1.8 for sparse_dot_topn and q @ X.T together; bm25s 1.8;
tantivy 1; vocabularies 0.4 in each of six processes; NearestNeighbors 4 more while it answers; the library 3
mapped, for both engines, and 1 for the layout of the fast one: about 19 with everything. Building happens
before, one system at a time: 11 for TfidfVectorizer, 13 for bm25s, texts included.
"""

import re
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from corpus import read_records
from system import Ids, K, Search, SearchMany, Server

THREADS = 2
WORD = re.compile(r"\w+")


class TextBuilder:
    """Reads what all peers index: title and body."""

    def read(self, corpus: Path, count: int | None = None) -> None:
        self.texts = [f"{record['title']}\n{record['body']}" for record in read_records(corpus, count)]


def words_of(text: str) -> list[str]:
    """Return the distinct words of a text, for peers whose queries are made of words."""
    return list(dict.fromkeys(WORD.findall(text.lower())))


def one_by_one(search: Search, threads: int = 1) -> SearchMany:
    """Return a batch made of single calls, in threads where that helps."""

    def search_many(texts: Sequence[str]) -> list[Ids]:
        if threads == 1:
            return [search(text) for text in texts]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(search, texts))

    return search_many


def best_rows(scores: np.ndarray) -> Ids:
    """Return the rows of the K largest scores, largest first."""
    best = np.argpartition(scores, -K)[-K:]
    return best[np.argsort(-scores[best], kind="stable")].tolist()


class TfidfBuilder(TextBuilder):
    """`TfidfVectorizer`; what the peers that share it keep beside it is not part of the time."""

    def build(self, folder: Path) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectorizer = TfidfVectorizer(dtype=np.float32)
        self.matrix = self.vectorizer.fit_transform(self.texts)

    def save(self, folder: Path) -> dict[str, Any]:
        import joblib
        from sklearn.neighbors import NearestNeighbors

        joblib.dump((self.vectorizer, self.matrix), folder / "by_posting.joblib")
        joblib.dump((self.vectorizer, self.matrix.T.tocsr()), folder / "by_term.joblib")
        neighbors = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(self.matrix)
        joblib.dump((self.vectorizer, neighbors), folder / "neighbors.joblib")
        disk = None  # no system needs all three
        return {"terms": self.matrix.shape[1], "entries": self.matrix.nnz, "disk": disk}


def load_tfidf(folder: Path, order: str) -> tuple[Any, Any]:
    """Return the vectorizer and its matrix, mapped."""
    import joblib

    # Copy-on-write and as plain views: sparse_dot_topn takes neither read-only arrays nor memmaps.
    vectorizer, matrix = joblib.load(folder / f"{order}.joblib", mmap_mode="c")
    for name, array in sparse_arrays(matrix).items():
        setattr(matrix, name, np.asarray(array))
    return vectorizer, matrix


def sparse_arrays(matrix: Any) -> dict[str, np.ndarray]:
    return {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}


def serve_nearest_neighbors(folder: Path) -> Server:
    """``NearestNeighbors(metric="cosine", algorithm="brute")``."""
    import joblib

    vectorizer, neighbors = joblib.load(folder / "neighbors.joblib", mmap_mode="c")

    def ways(jobs: int | None) -> SearchMany:
        def search_many(texts: Sequence[str]) -> list[Ids]:
            neighbors.set_params(n_jobs=jobs)
            return neighbors.kneighbors(vectorizer.transform(texts), return_distance=False).tolist()

        return search_many

    many = {f"n_jobs={jobs}": ways(jobs) for jobs in (None, THREADS)}
    single = {way: partial(_first, search_many) for way, search_many in many.items()}
    return Server({"": single}, {"": many}, lambda: sparse_arrays(neighbors._fit_X))


def _first(search_many: SearchMany, text: str) -> Ids:
    return search_many([text])[0]


def serve_matrix_product(folder: Path) -> Server:
    """``X @ q`` with scipy, then a partial sort; in batches ``X @ Q`` of 32 CVs at a time."""
    vectorizer, matrix = load_tfidf(folder, "by_posting")

    def dense(text: str) -> Ids:
        return best_rows(matrix @ vectorizer.transform([text]).toarray().ravel())

    def sparse(text: str) -> Ids:
        return best_rows((matrix @ vectorizer.transform([text]).T).toarray().ravel())

    def block(texts: Sequence[str]) -> list[Ids]:
        queries = np.ascontiguousarray(vectorizer.transform(texts).toarray().T)
        return [best_rows(scores) for scores in np.ascontiguousarray((matrix @ queries).T)]

    return Server(
        {"": {"q dense": dense, "q sparse": sparse}},
        {
            "": {
                "X @ Q, 32 CVs each": by_blocks(block, 32),
                "one by one, 2 threads": one_by_one(dense, THREADS),
            }
        },
        lambda: sparse_arrays(matrix),
    )


def by_blocks(search_many: SearchMany, size: int) -> SearchMany:
    """Return a batch in blocks shared out to threads."""

    def search_all(texts: Sequence[str]) -> list[Ids]:
        blocks = [texts[start : start + size] for start in range(0, len(texts), size)]
        with ThreadPoolExecutor(THREADS) as pool:
            return [ids for found in pool.map(search_many, blocks) for ids in found]

    return search_all


def serve_transposed_product(folder: Path) -> Server:
    """``q @ X.T`` with scipy and the matrix kept by term, then a partial sort."""
    vectorizer, matrix = load_tfidf(folder, "by_term")

    def product(text: str) -> Ids:
        return best_rows((vectorizer.transform([text]) @ matrix).toarray().ravel())

    def cut_out(text: str) -> Ids:
        query = vectorizer.transform([text])
        return best_rows(matrix[query.indices].T @ query.data)

    def block(texts: Sequence[str]) -> list[Ids]:
        return [best_rows(scores) for scores in (vectorizer.transform(texts) @ matrix).toarray()]

    return Server(
        {"": {"q @ X.T": product, "X.T[terms].T @ weights": cut_out}},
        {
            "": {
                "Q @ X.T, 8 CVs each": by_blocks(block, 8),
                "one by one, 2 threads": one_by_one(cut_out, THREADS),
            }
        },
        lambda: sparse_arrays(matrix),
    )


def serve_sparse_dot_topn(folder: Path) -> Server:
    """`sp_matmul_topn` of queries with the transposed matrix."""
    from sparse_dot_topn import sp_matmul_topn

    vectorizer, matrix = load_tfidf(folder, "by_term")

    def ways(threads: int) -> SearchMany:
        def search_many(texts: Sequence[str]) -> list[Ids]:
            queries = vectorizer.transform(texts)
            found = sp_matmul_topn(queries, matrix, K, threshold=0.0, sort=True, n_threads=threads)
            return [part.tolist() for part in np.split(found.indices, found.indptr[1:-1])]

        return search_many

    many = {f"n_threads={threads}": ways(threads) for threads in (1, THREADS)}
    single = {way: partial(_first, search_many) for way, search_many in many.items()}
    return Server({"": single}, {"": many}, lambda: sparse_arrays(matrix))


class Bm25sBuilder(TextBuilder):
    """bm25s with its own tokenizer and English stop words. The index is the same for both backends."""

    def build(self, folder: Path) -> None:
        import bm25s

        self.retriever = bm25s.BM25(csc_backend="scipy")
        tokens = bm25s.tokenize(self.texts, stopwords="en", show_progress=False)
        self.retriever.index(tokens, show_progress=False)

    def save(self, folder: Path) -> dict[str, Any]:
        self.retriever.save(folder, show_progress=False)
        return {"terms": len(self.retriever.vocab_dict), "entries": len(self.retriever.scores["data"])}


def serve_bm25s(backend: str, folder: Path) -> Server:
    """bm25s; backend numpy or numba."""
    import bm25s
    from bm25s.stopwords import STOPWORDS_EN

    retriever = bm25s.BM25.load(folder, mmap=True, override_params={"backend": backend})
    arrays = {name: value for name, value in retriever.scores.items() if isinstance(value, np.ndarray)}
    # Plain views: indexing the subclass memmap costs several times as much.
    retriever.scores.update({name: np.asarray(array) for name, array in arrays.items()})
    if backend == "numba":
        retriever.activate_numba_scorer()
    expression, stop = re.compile(r"(?u)\b\w\w+\b"), frozenset(STOPWORDS_EN)

    def retrieve(texts: Sequence[str], threads: int) -> list[Ids]:
        tokens = [[word for word in expression.findall(text.lower()) if word not in stop] for text in texts]
        found = retriever.retrieve(tokens, k=K, show_progress=False, n_threads=threads)
        return found.documents.tolist()

    many = {f"n_threads={threads}": partial(retrieve, threads=threads) for threads in (0, THREADS)}
    return Server({"": {"": partial(_first, many["n_threads=0"])}}, {"": many}, lambda: arrays)


class TantivyBuilder(TextBuilder):
    """tantivy on disk, one writer thread, frequencies without positions."""

    def build(self, folder: Path) -> None:
        import tantivy

        builder = tantivy.SchemaBuilder()
        builder.add_text_field("body", stored=False, index_option="freq")
        builder.add_integer_field("row", stored=True, fast=True)
        self.index = tantivy.Index(builder.build(), path=str(folder))
        writer = self.index.writer(heap_size=1_500_000_000, num_threads=1)
        for row, text in enumerate(self.texts):
            writer.add_document(tantivy.Document(body=text, row=row))
        writer.commit()
        writer.wait_merging_threads()

    def save(self, folder: Path) -> dict[str, Any]:
        self.index.reload()
        return {"segments": self.index.searcher().num_segments}


def serve_tantivy(folder: Path) -> Server:
    """tantivy over its files; the query is an OR of the text's words."""
    import tantivy

    index = tantivy.Index.open(str(folder))
    searcher, schema = index.searcher(), index.schema

    def search(text: str) -> Ids:
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(schema, "body", word, index_option="freq"))
            for word in words_of(text)
        ]
        hits = searcher.search(tantivy.Query.boolean_query(terms), K, count=False).hits
        return [searcher.doc(address)["row"][0] for _, address in hits]

    many = {"one by one": one_by_one(search), "one by one, 2 threads": one_by_one(search, THREADS)}
    return Server({"": {"": search}}, {"": many})


class SqliteBuilder(TextBuilder):
    """SQLite FTS5 on disk without a journal, optimised after inserting."""

    def build(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "index.sqlite")
        self.connection.execute("PRAGMA journal_mode = OFF")
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("CREATE VIRTUAL TABLE postings USING fts5(body, content='')")
        rows = enumerate(self.texts)
        self.connection.executemany("INSERT INTO postings(rowid, body) VALUES (?, ?)", rows)
        self.connection.execute("INSERT INTO postings(postings) VALUES ('optimize')")
        self.connection.commit()

    def save(self, folder: Path) -> dict[str, Any]:
        self.connection.close()
        return {}


def serve_sqlite(folder: Path) -> Server:
    """SQLite FTS5, ``ORDER BY bm25`` over an OR of the text's words."""
    connection = sqlite3.connect(folder / "index.sqlite")
    connection.execute("PRAGMA mmap_size = 4000000000")

    def search(text: str) -> Ids:
        words = " OR ".join(f'"{word}"' for word in words_of(text))
        rows = connection.execute(
            "SELECT rowid FROM postings WHERE postings MATCH ? ORDER BY bm25(postings) LIMIT ?", (words, K)
        )
        return [row for (row,) in rows]

    return Server({"": {"": search}}, {"": {"one by one": one_by_one(search)}})
