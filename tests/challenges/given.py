"""What the tests of choices start from."""

from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.rounds.models import Candidate
from tests.factories import true_key


def best_as_choices(project: Project) -> Project:
    """As if every open picture were best asked with all classes to choose from."""
    Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN).update(form="choice")
    return project


def class_of(challenge: Challenge, *, right: bool = True) -> int:
    """The class that the picture of a choice shows, or another one."""
    shown = true_key(challenge.tiles.get().image)
    classes = challenge.project.label_classes.filter(is_none=False)
    return (classes.get(key=shown) if right else classes.exclude(key=shown)[0]).pk
