"""README and docstrings: what they show is what happens."""

import doctest
import importlib
import inspect
import io
import pkgutil
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import matcher

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def same(wanted: str, got: str) -> None:
    tidy = "\n".join(line.rstrip() for line in got.splitlines()).strip() + "\n"
    assert doctest.OutputChecker().check_output(wanted.strip() + "\n", tidy, FLAGS), tidy


def test_python_in_the_readme_prints_what_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python blocks run one after the other; a text block holds what the one before it printed."""
    for name in ("seeds", "examples", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    printed, compared = "", 0
    for language, code in BLOCKS:
        if language == "python":
            with redirect_stdout(io.StringIO()) as output:
                exec(compile(code, "README.md", "exec"), namespace)
            printed = output.getvalue()
        elif language == "text":
            same(code, printed)
            compared += 1
    assert compared >= 1


def test_commands_in_the_readme_print_what_the_readme_says(tmp_path: Path) -> None:
    """Console blocks hold commands after a $ and their output; make, git and pip are not run here."""
    for name in ("seeds", "examples", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "models").unlink()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "demo").symlink_to(ROOT / "models" / "demo")
    ran = 0
    for language, block in BLOCKS:
        if language != "console":
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, wanted = part.partition("\n")
            words = shlex.split(command)
            if words[0] not in ("matcher", "python"):
                continue
            prefix = [sys.executable, *(["-m", "matcher"] if words[0] == "matcher" else [])]
            result = subprocess.run(
                [*prefix, *words[1:]], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
            )
            assert result.returncode == 0, result.stderr
            if wanted.strip():
                same(wanted, result.stdout)
            ran += 1
    assert ran >= 3


def test_the_readme_names_the_two_commands() -> None:
    assert "make demo" in README
    assert "make test" in README


def test_every_module_is_in_the_table_of_how_it_works() -> None:
    table = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    modules = {f"`{path.name}`" for path in (ROOT / "matcher").glob("[a-z]*.py")}
    folders = {f"`{path.parent.name}/`" for path in (ROOT / "matcher").glob("*/__init__.py")}
    assert {name for name in modules | folders if name not in table} == set()


def public_modules() -> list[str]:
    names = [info.name for info in pkgutil.walk_packages(matcher.__path__, "matcher.")]
    return ["matcher", *(name for name in names if name != "matcher.__main__")]


@pytest.mark.parametrize("module_name", public_modules())
def test_every_public_name_has_a_docstring(module_name: str) -> None:
    module = importlib.import_module(module_name)
    assert module.__doc__
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module_name}.{name}"


def public_values() -> list[tuple[str, object]]:
    """Return what `from matcher import ...` offers, the functions of all modules, and their methods."""
    found: dict[str, object] = {}
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            place = f"{value.__module__}.{name}"
            found[place] = value
            if inspect.isclass(value) and value.__module__.startswith("matcher"):
                for member_name, member in vars(value).items():
                    if member_name.startswith("_"):
                        continue
                    function = getattr(member, "__func__", getattr(member, "fget", member))
                    if inspect.isfunction(function):
                        found[f"{place}.{member_name}"] = function
    return sorted(found.items())


# Protocols only promise; rows and readers are shown in use where callers meet them.
PROTOCOLS = (
    "matcher.features.FeatureBlock.",
    "matcher.encoding.TextEncoder.",
    "matcher.boosts.Boost.",
    "matcher.base.Engine.",
)
WITHOUT_EXAMPLE = {
    "matcher.features.FeatureBlock",
    "matcher.encoding.TextEncoder",
    "matcher.boosts.Boost",
    "matcher.sources.reader.Source",
    "matcher.sources.reader.PostingReader",
    "matcher.filters.Filter",
    "matcher.index.Ranking",
    "matcher.learning.BlockFeatures",
    "matcher.store.reading.StoredModel",
    "matcher.store.StoredModel",
    "matcher.counts.BlockIndex",
    "matcher.base.Engine",
    "matcher.base.Query",
    "matcher.base.Proposal",
    "matcher.kernels.scan",
    "matcher.kernels.fill_layout",
    "matcher.index.Index",
    "matcher.index.Contributions",
    "matcher.counts.Counts",
    "matcher.text.Decoded",
    "matcher.documents.child.main",
}


@pytest.mark.parametrize(("place", "value"), public_values())
def test_every_public_name_shows_an_example(place: str, value: object) -> None:
    if any(place == name or place.startswith(PROTOCOLS) for name in WITHOUT_EXAMPLE):
        assert inspect.getdoc(value)
        return
    assert ">>>" in (inspect.getdoc(value) or ""), place


def test_every_name_the_package_offers_shows_an_example() -> None:
    for name in matcher.__all__:
        if name != "__version__":
            assert ">>>" in (inspect.getdoc(getattr(matcher, name)) or ""), name
