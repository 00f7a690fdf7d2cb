"""The layers: imports point up the page only, and the load path stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "matcher"

# From the top of the page to the bottom. A module may import what stands above it, never below.
CORE = [
    "_version",
    "errors",
    "money",
    "pay",
    "countries",
    "places",
    "hashtags",
    "posting",
    "profile",
    "mojibake",
    "text",
    "stopwords",
    "analyzer",
    "personal",
    "code_points",
    "scanner",
    "kernels",
    "spelling_kernels",
    "strings",
    "spelling",
    "variants",
    "tokens",
    "term_counts",
    "block_options",
    "word_vectors",
    "queries",
    "weighting",
    "titles",
    "dense",
    "catalogue",
    "counts",
    "encoding",
    "semantic",
    "features",
    "filters",
    "boosts",
    "word_learning",
    "counting",
    "learning",
    "segments",
    "merging",
    "frequent",
    "base",
    "fast",
    "engines",
    "index",
    "parts",
    "snapshot",
    "held",
    "recommendation",
    "explaining",
    "recommender",
    "changes",
    "updates",
    "persistence",
    "store.disk",
    "store.arrays",
    "store.locks",
    "store.manifest",
    "store.pointer",
    "store.signatures",
    "store.collection",
    "store.publishing",
    "store.reading",
    "store.generations",
    "store",
    "ranker",
]
# Edges read the outside world and know nothing of ranking; faces show results to people and programs.
BOARDS = ("greenhouse", "lever", "ashby", "workable")
FORMATS = ("markdown", "json_lines", "json_documents", "tables", "feeds", "job_posting_json_ld")
READING_EDGES = {
    "sources.entry": {"errors"},
    "sources.dates": set(),
    "sources.exact": {"errors", "posting"},
    "sources.fast_json": set(),
    "sources.plain": {"errors", "hashtags", "pay", "posting", "sources.dates", "sources.exact"}
    | {"sources.names"},
    "sources.fields": {
        "errors",
        "hashtags",
        "pay",
        "posting",
        "sources.dates",
        "sources.entry",
        "sources.exact",
        "sources.names",
        "sources.plain",
    },
    "sources.file_names": set(),
    "sources.writers": {"errors", "money", "posting", "sources.entry", "sources.exact", "sources.fields"}
    | {"sources.json_lines", "sources.markdown", "sources.shapes"},
    "sources.markdown": {"errors", "posting", "text", "sources.entry"},
    "sources.json_lines": {"errors", "mojibake", "text", "sources.entry", "sources.fast_json"},
    "sources.names": {"errors", "places", "posting", "sources.dates", "sources.entry", "sources.markup"},
    "sources.compression": {"errors"},
    "sources.recognition": {"errors", "text", "sources.compression", "sources.names"},
    "sources.markup": {"text"},
    "sources.json_scanner": {"errors", "sources.entry"},
    **{f"sources.{name}": {"errors", "sources.markup"} for name in BOARDS},
    "sources.job_posting_json_ld": {"errors", "text"}
    | {f"sources.{name}" for name in ("entry", "json_lines", "markup")},
    "sources.shapes": {"errors", *(f"sources.{name}" for name in BOARDS)}
    | {f"sources.{name}" for name in ("entry", "exact", "job_posting_json_ld", "markup", "names")},
    "sources.json_documents": {"errors"}
    | {f"sources.{name}" for name in ("entry", "json_lines", "json_scanner", "names", "shapes")},
    "sources.tables": {"errors", "text"}
    | {f"sources.{name}" for name in ("entry", "json_lines", "markup", "names")},
    "sources.feeds": {"errors", "text", "sources.entry", "sources.markup", "sources.names"},
    "sources.report": {"errors"},
    "sources.files": {"errors"},
    "sources.reader": {"errors", "posting"}
    | {f"sources.{name}" for name in ("entry", "compression", "recognition", "report", "files")},
    "sources": {"errors", "sources.entry", "sources.fields", "sources.reader", "sources.names"}
    | {"sources.recognition", "sources.report", "sources.shapes"}
    | {f"sources.{name}" for name in FORMATS},
    "documents": {f"documents.{name}" for name in ("written", "json_resume", "pdf", "docx", "odt")},
    "documents.written": {"errors", "text"},
    "documents.json_resume": {"errors", "documents.written"},
    "documents.layout": {"errors"},
    "documents.pdf": {"errors", "documents.layout"},
    "documents.zipped": {"errors"},
    "documents.office_xml": {"errors"},
    **dict.fromkeys(
        ("documents.docx", "documents.odt"),
        {"errors"} | {f"documents.{name}" for name in ("layout", "office_xml", "zipped")},
    ),
    "documents.recognition": {"errors", "documents"},
    "documents.child": {"errors", "documents"},
    "documents.isolation": {"errors", "documents"},
    "cv": {"errors", "profile", "text", "documents", "documents.isolation", "documents.recognition"},
    "evaluate.measures": {"errors"},
    "evaluate.names": {"errors", "evaluate.measures"},
    "evaluate.intervals": {"errors"},
    "evaluate.judgements": {"errors", "evaluate.measures"},
    "evaluate.qrels": {"errors", "evaluate.judgements", "evaluate.measures"},
    "evaluate.events": {"errors", "evaluate.judgements", "evaluate.qrels"},
    "evaluate": {f"evaluate.{name}" for name in ("measures", "names", "intervals", "judgements", "qrels")}
    | {"evaluate.events"},
}
FACES = [
    *("terminal", "vectorizer"),
    *("drift.term_changes", "drift.term_drift", "drift.report", "drift.measurement", "drift"),
    *("retraining", "verification", "quality", "weight_search", "tuning"),
    *("pages.markup", "pages.plots", "pages.page", "pages.drift_page", "pages"),
    *("report", "generation_report", "quality_report", "tuning_report"),
    *("commands", "commands.group", "commands.options", "commands.output"),
    *("commands.training", "commands.ranking", "commands.models", "commands.converting"),
    *("commands.evaluating", "commands.tuning"),
    *("cli", "__main__", "__init__"),
]
# The store knows nothing of ranking: its modules may import the errors and each other, up the page.
STORE = [name for name in CORE if name.split(".")[0] == "store"]


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
        found[name] = path
    return found


def imports_of(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, at the top or inside functions."""
    known = modules()
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
        else:
            continue
        for name in names:
            if name.startswith("matcher."):
                inner = name.removeprefix("matcher.")
                found |= {inner} & known.keys()
            elif name == "matcher":
                found.add("__init__")
    # "from matcher import engines" names the package as well as the module.
    if found - {"__init__"}:
        found.discard("__init__")
    return found


def violations(name: str, imported: set[str]) -> set[str]:
    if name in CORE:
        allowed = set(CORE[: CORE.index(name)])
        if name in STORE:
            allowed &= {"errors", *STORE}
    elif name in READING_EDGES:
        allowed = READING_EDGES[name]
    else:
        allowed = set(CORE) | set(READING_EDGES) | set(FACES[: FACES.index(name)])
    return imported - allowed


def test_every_module_has_a_place() -> None:
    assert set(modules()) == set(CORE) | set(READING_EDGES) | set(FACES)


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_up_the_page(name: str) -> None:
    assert violations(name, imports_of(modules()[name])) == set()


def test_an_import_against_the_layers_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "text.py"
    wrong.write_text("def f():\n    from matcher.ranker import Matcher\n    return Matcher\n")
    assert violations("text", imports_of(wrong)) == {"ranker"}
    wrong.write_text("from matcher import ranker\n")
    assert violations("store", imports_of(wrong)) == {"ranker"}
    wrong.write_text("from matcher.posting import Posting\n")
    assert violations("store.locks", imports_of(wrong)) == {"posting"}


def test_loading_and_ranking_imports_no_heavy_package(tmp_path: Path) -> None:
    model = PACKAGE.parent / "models" / "demo"
    heavy = ["sklearn", "scipy", "pandas", "ftfy", "rich", "click", "yaml", "selectolax", "cmarkgfm"]
    code = (
        "import sys; from matcher import Matcher; "
        f"print(len(Matcher.load({str(model)!r}).recommend('nurse on a ward', k=3))); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout.split("\n")[:2] == ["3", "[]"]


def test_no_module_can_reach_the_network_or_unpickle() -> None:
    forbidden = {"socket", "http", "urllib", "requests", "pickle", "marshal", "shelve", "dill", "joblib"}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not {part.split(".")[0] for part in names} & forbidden, name
