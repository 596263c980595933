"""The sentence above a grid, and where in it the class is named."""

import re
from typing import NamedTuple

from django.core.exceptions import ValidationError

NAME = "{name}"
USUAL_QUESTION = f"Select all squares with {NAME}"


class Asked(NamedTuple):
    """A question as it is read: the name stands out between the rest."""

    before: str
    name: str
    after: str

    def __str__(self) -> str:
        return "".join(self)


def require_name(question: str) -> None:
    """Raises ValidationError for a question that would leave people to guess the class."""
    if question and NAME not in question:
        raise ValidationError(
            f"Write {NAME} into the question where the class's name belongs, as in "
            f"“{USUAL_QUESTION}”."
        )


def asked(question: str, name: str) -> Asked:
    """The question about the class of this name; without one of its own, the usual one."""
    before, found, after = (question or USUAL_QUESTION).partition(NAME)
    if found:
        return Asked(before, name, after.replace(NAME, name))
    # Of a project from the time when the name itself was written into the question.
    said = [*re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", question)] if name else []
    if not said:
        return Asked("", question, "")
    return Asked(question[: said[-1].start()], name, question[said[-1].end() :])
