"""Every error that `matcher` raises on purpose.

::

    MatcherError
    ├── PostingError             a posting cannot be read or built
    │   └── DuplicatePostingError  two postings share one id (strict reading only)
    ├── SourceError              a source of postings cannot be opened at all
    ├── ProfileError             a CV cannot be read, or holds nothing to rank by
    ├── JudgementError           a file of judged CVs cannot be read
    ├── OptionError              an argument makes no sense (also a ValueError)
    │   └── FilterError            a filter is unknown or its value cannot be understood
    ├── UnknownPostingError      no posting with this id (also a KeyError)
    └── ModelError               a model directory cannot be used
        ├── ModelNotFoundError     there is no model at this path
        ├── ModelSchemaError       written by another version of the format
        ├── ModelDamagedError      sizes, hashes, ranges or contents are wrong
        │   └── ModelSignatureError    not signed with the key given
        └── ModelWriteError        the model could not be written; the old one is untouched
            ├── ModelLockedError       another process or thread is writing it
            └── ModelConflictError     somebody else published since it was opened

Catch `MatcherError` to catch them all. Each message names the file and line, or the value, and
says what to do.
"""

from __future__ import annotations

from typing import Final

__all__: Final = [
    "DuplicatePostingError",
    "FilterError",
    "JudgementError",
    "MatcherError",
    "ModelConflictError",
    "ModelDamagedError",
    "ModelError",
    "ModelLockedError",
    "ModelNotFoundError",
    "ModelSchemaError",
    "ModelSignatureError",
    "ModelWriteError",
    "OptionError",
    "PostingError",
    "ProfileError",
    "SourceError",
    "UnknownPostingError",
]


class MatcherError(Exception):
    """The root of every error that the library raises on purpose.

    Examples
    --------
    >>> issubclass(PostingError, MatcherError) and issubclass(ModelDamagedError, ModelError)
    True
    """


class PostingError(MatcherError):
    """A posting cannot be read or built.

    Parameters
    ----------
    reason : str
        What is wrong and what to do, one sentence.
    path : str, optional
        File or stream the posting came from.
    line : int, optional
        Line in it, counted from 1.

    Examples
    --------
    >>> str(PostingError("the front matter is not closed: add a line with '---'", "a.md", 1))
    "a.md:1: the front matter is not closed: add a line with '---'"
    """

    def __init__(self, reason: str, path: str = "", line: int = 0) -> None:
        self.reason = reason
        self.path = path
        self.line = line
        super().__init__(reason, path, line)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line) if part)
        return f"{place}: {self.reason}" if place else self.reason


class DuplicatePostingError(PostingError):
    """Two postings share one id, and the caller asked for strict reading.

    Examples
    --------
    >>> raise DuplicatePostingError("id 'job-1' was already read from a.md", "b.md", 1)
    Traceback (most recent call last):
    matcher.errors.DuplicatePostingError: b.md:1: id 'job-1' was already read from a.md
    """


class SourceError(MatcherError):
    """A source of postings cannot be opened at all: missing, unreadable, or of an unknown format.

    Examples
    --------
    >>> from matcher import read_postings
    >>> list(read_postings("no/such/folder"))
    Traceback (most recent call last):
    matcher.errors.SourceError: no/such/folder: no such file or folder
    """


class ProfileError(MatcherError):
    """A CV cannot be read, or holds nothing to rank by.

    Examples
    --------
    >>> from matcher import read_cv
    >>> read_cv("no/such/cv.txt")
    Traceback (most recent call last):
    matcher.errors.ProfileError: no/such/cv.txt: no such file
    """


class JudgementError(MatcherError):
    """A file that says which postings fit which CV cannot be read.

    Examples
    --------
    >>> from matcher.evaluate import read_judgements
    >>> read_judgements("no/such/judgements.json")
    Traceback (most recent call last):
    matcher.errors.JudgementError: no/such/judgements.json: no such file
    """


class OptionError(MatcherError, ValueError):
    """An argument makes no sense, such as ``k=0``.

    Examples
    --------
    >>> from matcher import Matcher
    >>> Matcher.fit([]).recommend("nurse", k=0)
    Traceback (most recent call last):
    matcher.errors.OptionError: k must be a whole number of at least 1, got 0
    """


class FilterError(OptionError):
    """A filter is unknown or its value cannot be understood.

    Examples
    --------
    >>> from matcher import Matcher
    >>> Matcher.fit([]).recommend("nurse", filters={"city": "Bern"})
    Traceback (most recent call last):
    matcher.errors.FilterError: unknown filter 'city': use one of location, remote, job_type, ...
    """


class UnknownPostingError(MatcherError, KeyError):
    """No posting with this id.

    Examples
    --------
    >>> from matcher import Matcher
    >>> Matcher.fit([]).explain("nurse", "job-1")
    Traceback (most recent call last):
    matcher.errors.UnknownPostingError: no posting has the id 'job-1'
    """

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which would put quotes around the sentence.
        return str(self.args[0]) if self.args else ""


class ModelError(MatcherError):
    """A model directory cannot be used.

    Examples
    --------
    >>> issubclass(ModelNotFoundError, ModelError)
    True
    """


class ModelNotFoundError(ModelError):
    """There is no model at this path.

    Examples
    --------
    >>> from matcher import Matcher
    >>> Matcher.load("no/such/model")
    Traceback (most recent call last):
    matcher.errors.ModelNotFoundError: no/such/model: no model here (no file CURRENT)...
    """


class ModelSchemaError(ModelError):
    """The model was written by another version of the format.

    Examples
    --------
    >>> raise ModelSchemaError("models/jobs: schema 9 is newer than this library's 1: upgrade matcher")
    Traceback (most recent call last):
    matcher.errors.ModelSchemaError: models/jobs: schema 9 is newer than this library's 1: upgrade matcher
    """


class ModelDamagedError(ModelError):
    """Sizes, hashes, ranges or contents of a model are wrong; nothing of it was used.

    Examples
    --------
    >>> raise ModelDamagedError("gen-00000001/text.rows.npy: SHA-256 differs from the manifest")
    Traceback (most recent call last):
    matcher.errors.ModelDamagedError: gen-00000001/text.rows.npy: SHA-256 differs from the manifest
    """


class ModelSignatureError(ModelDamagedError):
    """The model is not signed with the key given, or was changed after it was; nothing of it was used.

    Examples
    --------
    >>> raise ModelSignatureError("models/jobs/gen-00000001/signature: not made with this key")
    Traceback (most recent call last):
    matcher.errors.ModelSignatureError: models/jobs/gen-00000001/signature: not made with this key
    """


class ModelWriteError(ModelError):
    """The model could not be written; what was there before is untouched.

    Examples
    --------
    >>> raise ModelWriteError("models/jobs: No space left on device; the model there is unchanged")
    Traceback (most recent call last):
    matcher.errors.ModelWriteError: models/jobs: No space left on device; the model there is unchanged
    """


class ModelLockedError(ModelWriteError):
    """Another process or thread is writing the model; one writer at a time.

    Examples
    --------
    >>> raise ModelLockedError("models/jobs: being written by process 42: try again when it is done")
    Traceback (most recent call last):
    matcher.errors.ModelLockedError: models/jobs: being written by process 42: try again when it is done
    """


class ModelConflictError(ModelWriteError):
    """Another generation became current since the one that the changes start from was opened.

    Examples
    --------
    >>> raise ModelConflictError("models/jobs: generation 6 was published since generation 5 was opened")
    Traceback (most recent call last):
    matcher.errors.ModelConflictError: models/jobs: generation 6 was published since generation 5 was opened
    """
