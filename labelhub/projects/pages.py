"""What the templates of the home and landing pages receive: finished values."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from labelhub.projects.models import Progress, Project
from labelhub.projects.selectors import CatalogueEntry

EXAMPLES_SHOWN = 2
PERCENT_FROM = 0.10  # below it a count says more than "0 %"


def example_url(slug: str, image_id: int) -> str:
    """The address of an example picture; other pictures have no public address."""
    return reverse("example", args=[slug, image_id])


def settled_words(*, settled: int, images: int) -> str:
    """How far a project is, in one sentence; empty while it has no pictures."""
    if not images:
        return ""
    if settled < images * PERCENT_FROM:
        return _("%(settled)s of %(images)s pictures are settled.") % {
            "settled": f"{settled:,}",
            "images": f"{images:,}",
        }
    # Rounded down: 100 % is said when nothing is left, not before.
    return _("The project is %(percent)d %% settled.") % {"percent": 100 * settled // images}


@dataclass(frozen=True)
class ProjectCard:
    """One project in the list of the home page, or at the head of its own."""

    name: str
    url: str
    paused: bool
    images: int
    settled: int
    progress_words: str


def project_card(project: Project) -> ProjectCard:
    """The card of a project whose progress row is loaded."""
    progress = project.progress
    return ProjectCard(
        name=project.name,
        url=project.get_absolute_url(),
        paused=project.status == Project.Status.PAUSED,
        images=max(progress.images, 1),
        settled=progress.settled,
        progress_words=_progress_words(progress),
    )


def _progress_words(progress: Progress) -> str:
    if not progress.images:
        return _("No pictures counted yet.")
    words = settled_words(settled=progress.settled, images=progress.images)
    return _("%(votes)s judgements so far. %(words)s") % {
        "votes": f"{progress.votes:,}",
        "words": words,
    }


@dataclass(frozen=True)
class ClassRow:
    """A class as the landing page shows it."""

    name: str
    example_urls: tuple[str, ...]


def class_row(slug: str, entry: CatalogueEntry) -> ClassRow:
    """The row of one class with its first examples."""
    urls = tuple(example_url(slug, image) for image in entry.examples[:EXAMPLES_SHOWN])
    return ClassRow(name=entry.name, example_urls=urls)
