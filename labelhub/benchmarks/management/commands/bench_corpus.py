"""``manage.py bench_corpus``: fills the fresh database of a benchmark."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.benchmarks.corpus import make_corpus
from labelhub.benchmarks.floor import lay_floor
from labelhub.projects.models import Project


class Command(BaseCommand):
    help = "Fill an empty database with a project of N images, for a benchmark."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("images", type=int)

    def handle(self, **options: Any) -> None:
        if Project.objects.exists():
            raise CommandError("this database holds projects; a benchmark wants an empty one")
        make_corpus(images=options["images"])
        lay_floor()
