"""The operators' table of environment variables is the list that the code reads."""

import re
from pathlib import Path

import pytest

from tests.architecture.environment_names import ROOT, names_read, names_read_in

OPERATORS = ROOT / "docs" / "operators.md"


def documented(page: Path = OPERATORS) -> list[str]:
    """The names in the first column of the table under "Environment variables"."""
    text = page.read_text(encoding="utf-8")
    section = text.partition("\n## Environment variables\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([A-Z0-9_]+)` \|", section, flags=re.MULTILINE)


def test_every_variable_that_the_code_reads_is_documented_and_no_other() -> None:
    assert set(documented()) == names_read()


def test_a_variable_is_documented_once() -> None:
    assert len(documented()) == len(set(documented()))


def test_each_documented_variable_has_a_meaning_and_a_default() -> None:
    for line in OPERATORS.read_text(encoding="utf-8").splitlines():
        if re.match(r"\| `[A-Z0-9_]+` \|", line):
            name, meaning, default = (cell.strip() for cell in line.strip("|").split("|"))
            assert meaning, f"{name} has no meaning"
            assert default, f"{name} has no default"


@pytest.mark.parametrize(
    "line",
    [
        'env.optional("NEW_ONE", "1")',
        'env.required("NEW_ONE", "give it")',
        'env.flag("NEW_ONE", default=True)',
        'env.names("NEW_ONE")',
        'os.environ.get("NEW_ONE")',
        'os.environ["NEW_ONE"]',
        'os.getenv("NEW_ONE")',
        '"NEW_ONE" in os.environ',
    ],
)
def test_a_new_variable_is_noticed_however_it_is_read(line: str) -> None:
    assert names_read_in(line) == {"NEW_ONE"}


def test_a_variable_whose_name_is_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be documented"):
        names_read_in("os.environ[prefix + name]")
