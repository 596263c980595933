"""The page that says what a rollback would do, before anyone does it."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from labelhub.dashboard.answers import measured_on_words
from labelhub.dashboard.wording import accuracy_words, number
from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.selectors import serving_version, version_before


@dataclass(frozen=True)
class RollbackPage:
    """Both versions in words; ``refusal`` says why there is nothing to go back to."""

    now: str
    before: str
    refusal: str


def rollback_page(*, project: Project) -> RollbackPage:
    """What a rollback of the project would do."""
    serving = serving_version(project=project)
    if serving is None:
        return RollbackPage("", "", refusal=_("No version serves yet."))
    before = version_before(serving=serving)
    if before is None:
        return RollbackPage(
            _in_words(serving), "", refusal=_("No version was promoted before this one.")
        )
    return RollbackPage(_in_words(serving), _in_words(before), refusal="")


def _in_words(version: ModelVersion) -> str:
    words = {"number": number(version.number)}
    accuracy = version.metrics.get("accuracy")
    if accuracy is None:
        return _("version %(number)s") % words
    measured = int(version.metrics.get("images", 0))
    words |= {
        "accuracy": accuracy_words(accuracy, measured),
        "measured": number(measured),
        "what": measured_on_words(str(version.metrics.get("measured_on", ""))),
    }
    return _("version %(number)s: %(accuracy)s on %(measured)s %(what)s") % words
