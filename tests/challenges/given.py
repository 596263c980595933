"""What the tests of grids and choices share: addresses, right answers, what a sheet may cost."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.challenges.models import Challenge
from labelhub.projects.models import Project
from labelhub.rounds.models import Candidate
from tests.factories import true_key

SCRIPT = {"x-requested-with": "fetch"}
CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET LOCAL")


def address(challenge: Challenge, verb: str = "") -> str:
    return f"/p/{challenge.project.slug}/grid/{challenge.public_id}/{verb}"


def statements(queries: CaptureQueriesContext) -> list[str]:
    return [q["sql"] for q in queries if not q["sql"].startswith(CONTROL)]


def right_places(challenge: Challenge) -> list[int]:
    tiles = challenge.tiles.select_related("image")
    return [tile.place for tile in tiles if true_key(tile.image) == challenge.label_class.key]


def best_as_choices(project: Project) -> Project:
    """As if every open picture were best asked with all classes to choose from."""
    Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN).update(form="choice")
    return project


def class_of(challenge: Challenge, *, right: bool = True) -> int:
    """The class that the picture of a choice shows, or another one."""
    shown = true_key(challenge.tiles.get().image)
    classes = challenge.project.label_classes.filter(is_none=False)
    return (classes.get(key=shown) if right else classes.exclude(key=shown)[0]).pk


def someone_who_answered(
    kind: str, project: Project, answer_to: Callable[[Challenge], object]
) -> Client:
    """A visitor or a user with one sheet behind them."""
    client = Client()
    if kind == "user":
        client.force_login(User.objects.create_user("ada"))
    client.post(f"/p/{project.slug}/grid/")
    challenge = Challenge.objects.latest("pk")
    client.post(address(challenge, "answer"), {"selected": answer_to(challenge)})
    return client


def assert_within_budget(
    client: Client, project: Project, answer_to: Callable[[Challenge], object]
) -> None:
    """A sheet takes six queries, its answer fourteen, and an answer that brings the next five more.

    Two sheets are answered, and no session is read.
    """
    shown = Challenge.objects.latest("pk")
    body = {"keep": shown.public_id}
    with CaptureQueriesContext(connection) as issuing:
        client.post(f"/p/{project.slug}/grid/", body, headers=SCRIPT)
    selected = {"selected": answer_to(shown)}
    with CaptureQueriesContext(connection) as answering:
        client.post(address(shown, "answer"), selected, headers=SCRIPT)
    after = Challenge.objects.latest("pk")
    both = {"selected": answer_to(after), "keep": ""}
    with CaptureQueriesContext(connection) as answering_and_issuing:
        client.post(address(after, "answer"), both, headers=SCRIPT)
    assert Challenge.objects.filter(state=Challenge.State.ANSWERED).count() == 3
    assert len(statements(issuing)) <= 6, statements(issuing)
    assert len(statements(answering)) <= 14, statements(answering)
    assert len(statements(answering_and_issuing)) <= 14 + 5, statements(answering_and_issuing)
    asked = statements(issuing) + statements(answering) + statements(answering_and_issuing)
    assert not any("django_session" in sql for sql in asked)
