"""``manage.py rollback PROJECT [MODEL_VERSION] [--json FILE]``"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from labelhub.projects.commands import add_json_option, project_named, write_json
from labelhub.rounds.rollback import roll_back
from workers.following import rank_here, ranked_by_workers


class Command(BaseCommand):
    """Serves an earlier version again at once, and has the images ranked by it anew."""

    help = "Serve an earlier model version: the one named, or the one before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("model_version", nargs="?", type=int, help="its number")
        add_json_option(parser)

    def handle(
        self, *, project: str, model_version: int | None, json: str | None, **_: Any
    ) -> None:
        found = project_named(project)
        try:
            before, now_serving = roll_back(
                project=found, to_number=model_version, now=timezone.now()
            )
        except LookupError as error:
            raise CommandError(str(error)) from error
        write_json({"from": before.number, "to": now_serving.number}, json, self.stdout)
        if json != "-":
            self.stdout.write(f"{found.slug}: {now_serving} serves instead of {before}.")
        if not ranked_by_workers(version=now_serving, clock=timezone.now, pause=time.sleep):
            self.stderr.write("No worker is listening: the images are ranked in this process.")
            rank_here(version=now_serving, clock=timezone.now)
            failed = now_serving.ranking_shards.filter(finished_at=None).first()
            if failed is not None:
                raise CommandError(f"{now_serving} serves but cannot rank: {failed.trouble}")
