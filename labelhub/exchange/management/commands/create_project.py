"""``manage.py create_project NAME --classes a,b,c [--question …] [--recipe …] [--json FILE|-]``"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.projects.asking import NAME, USUAL_QUESTION
from labelhub.projects.commands import add_json_option, write_json
from labelhub.projects.models import Project
from labelhub.projects.services import ProjectError, create_project


class Command(BaseCommand):
    """Makes a project with its classes; exit code 0 once it is there."""

    help = "Make a project. Its classes exclude each other; 'none of these' comes by itself."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what people read, e.g. 'Street signs'")
        parser.add_argument(
            "--classes",
            required=True,
            help="two or more, separated by commas, with their article: 'a bicycle,a bus'",
        )
        parser.add_argument(
            "--question",
            default="",
            help=f"what people are asked; {NAME} stands for the class (default: {USUAL_QUESTION})",
        )
        parser.add_argument("--slug", help="its place in addresses (default: from the name)")
        parser.add_argument(
            "--recipe",
            choices=Project.Recipe.values,
            default=Project().recipe,
            help="what learns; it can be changed in the admin, which says when "
            "(default: %(default)s)",
        )
        add_json_option(parser)

    def handle(self, *, name: str, classes: str, json: str | None, **options: Any) -> None:
        wanted = [part.strip() for part in classes.split(",") if part.strip()]
        try:
            project = create_project(
                name=name,
                class_names=wanted,
                question=options["question"],
                slug=options["slug"],
                recipe=options["recipe"],
            )
        except ProjectError as error:
            raise CommandError(str(error)) from error
        write_json({"project": project.slug}, json, self.stdout)
        if json != "-":
            self.stdout.write(
                f"Project {project.slug} is there. Next: manage.py import_images {project.slug} …"
            )
