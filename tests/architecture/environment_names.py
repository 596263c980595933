"""Every environment variable that the product's code reads, found in its syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("labelhub", "workers", "classifier", "fixtures", "manage.py")
READER = ROOT / "labelhub" / "environment.py"  # reads what its callers name
_OF_ENVIRONMENT = {"optional", "required", "flag", "names"}


def files() -> Iterator[Path]:
    """The product's Python files, without the reader of variables itself."""
    for source in SOURCES:
        path = ROOT / source
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            if file != READER:
                yield file


def names_read_in(source: str) -> set[str]:
    """The names that one file reads. Raises ValueError for a name that is not written out."""
    return {_written_out(name) for name in _reads(ast.parse(source))}


def names_read() -> set[str]:
    """The names that the whole product reads."""
    found: set[str] = set()
    for file in files():
        found |= names_read_in(file.read_text(encoding="utf-8"))
    return found


def _reads(tree: ast.Module) -> Iterator[ast.expr]:
    """The expressions that name a variable: ``env.flag(HERE)``, ``os.environ[HERE]``, and so on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            owner, verb = ast.unparse(node.func.value), node.func.attr
            if (owner == "env" and verb in _OF_ENVIRONMENT) or (
                (owner, verb) in {("os.environ", "get"), ("os", "getenv"), ("os.environ", "pop")}
            ):
                yield node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            if isinstance(node.ctx, ast.Load):
                yield node.slice
        elif isinstance(node, ast.Compare) and any(
            ast.unparse(side) == "os.environ" for side in node.comparators
        ):
            yield node.left


def _written_out(name: ast.expr) -> str:
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return name.value
    raise ValueError(f"a variable whose name is computed cannot be documented: {ast.unparse(name)}")
