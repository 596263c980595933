"""A running project moves from SQLite to PostgreSQL by the commands of docs/operators.md."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.production.files import ROOT

SEED = """
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from labelhub.challenges.services import issue_challenge
from tests.factories import dice, visitor
from tests.pictured import striped_project, vote_rightly
call_command("migrate", verbosity=0)
project = striped_project(training_steps=20)
vote_rightly(project, 30)
issue_challenge(annotator=visitor(project), now=timezone.now(), generator=dice())
User.objects.create_superuser("ada", password="a long word of Ada's own")
call_command("run_round", "stripes", "--wait")
"""
ROWS = """
from django.apps import apps
print({model._meta.label: model._base_manager.count() for model in apps.get_models()
       if model._meta.app_label not in ("contenttypes", "sessions") and
       model._meta.label != "auth.Permission"})
from labelhub.rounds.models import Prediction
from labelhub.votes.models import Consensus
for model in (Prediction, Consensus):
    for row in model.objects.order_by("image_id"):
        print(row.image_id, bytes(row.probabilities).hex(), bytes(row.prior).hex())
"""
PEOPLE_GO_ON = """
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.utils import timezone
from labelhub.challenges.models import Challenge
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.rounds.models import Round
from labelhub.votes.models import Vote
from tests.factories import dice, reread
assert authenticate(username="ada", password="a long word of Ada's own")
grid, votes = Challenge.objects.get(), Vote.objects.count()
for _ in range(2):  # the grid issued before the move, then a new one
    submit_answer(annotator=reread(grid.annotator), public_id=grid.public_id, selected=[0, 4],
                  now=timezone.now())
    grid = issue_challenge(annotator=reread(grid.annotator), now=timezone.now(), generator=dice())
assert Vote.objects.count() == votes + 18
call_command("run_round", "stripes", "--wait")
call_command("recompute_consensus", "stripes", "--check")
assert Round.objects.filter(state="done").count() == 2
"""


class Site:
    """manage.py over one folder and one database at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def manage(self, database: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "labelhub.settings",
                "LABELHUB_SECRET_KEY": "only-for-this-test",
                "DATA_DIR": str(self.folder),
                "DATABASE_URL": database,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def shell(self, database: str, program: str) -> str:
        return self.manage(database, "shell", "--no-imports", "-v", "0", "-c", program)


def documented_commands() -> list[list[str]]:
    """The commands of the section, without the program's name."""
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    section = page.partition("\n## From SQLite to PostgreSQL\n")[2].partition("\n## ")[0]
    block = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    lines = "".join(block).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[2:] for line in lines if "manage.py" in line]


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_a_project_moves_with_its_votes_versions_and_people(
    tmp_path: Path, empty_postgres: str
) -> None:
    site, old, new = Site(tmp_path), f"sqlite:///{tmp_path}/db.sqlite3", empty_postgres
    dump, migrate, load, check = documented_commands()
    file = str(tmp_path / dump[-1])

    site.shell(old, SEED)
    site.manage(old, *dump[:-1], file)
    site.manage(new, *migrate)
    site.manage(new, *load[:-1], file)
    assert site.shell(new, ROWS) == site.shell(old, ROWS)
    check[check.index("PROJECT")] = "stripes"
    assert "0 of 90 images differ" in site.manage(new, *check)
    site.shell(new, PEOPLE_GO_ON)
