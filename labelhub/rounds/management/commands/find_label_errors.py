"""``manage.py find_label_errors PROJECT [--limit N] [--json FILE]``"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from labelhub.projects.commands import (
    add_json_option,
    project_named,
    whole_number,
    write_json,
)
from labelhub.projects.models import Image, LabelClass
from labelhub.rounds.label_doubts import MOST_KEPT, NoNetwork, find_label_errors
from labelhub.rounds.models import LabelDoubts


class Command(BaseCommand):
    """Looks at every settled label anew; the dashboard shows what was found."""

    help = (
        "List the settled labels, of votes or Gold, that networks doubt which did not learn them, "
        "the most doubtful first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        limit = whole_number("--limit", least=0, most=MOST_KEPT)
        parser.add_argument("--limit", type=limit, default=20, help="labels to name (20)")
        add_json_option(parser)

    def handle(self, *, project: str, limit: int, json: str | None, **_: Any) -> None:
        found = project_named(project)
        try:
            doubted = find_label_errors(project=found, now=timezone.now())
        except NoNetwork as error:
            raise CommandError(
                f"{error}; 'run_round {found.slug} --wait' makes one, unless too little is labelled"
            ) from error
        result = _result(doubted, limit)
        write_json(result, json, self.stdout)
        if json != "-":
            self.stdout.write(
                f"{doubted.suspected:,} of {doubted.labels:,} settled labels are likely wrong, by "
                f"the networks of {doubted.model_version} that did not learn them."
            )
            for row in result["doubted"]:
                self.stdout.write(
                    f"  image {row['image']} ({row['name']}): labelled {row['label']}, "
                    f"if it is not, then {row['likely']} (doubt {row['doubt']:.2f})"
                )


def _result(doubted: LabelDoubts, limit: int) -> dict[str, Any]:
    shown = doubted.entries[:limit]
    names = dict(
        Image.objects.filter(pk__in=[entry[0] for entry in shown]).values_list("pk", "name")
    )
    keys = dict(LabelClass.objects.filter(project=doubted.project).values_list("pk", "key"))
    return {
        "project": doubted.project.slug,
        "model_version": doubted.model_version.number,
        "labels": doubted.labels,
        "suspected": doubted.suspected,
        "doubted": [
            {
                "image": image,
                "name": names.get(image, ""),
                "label": keys[label],
                "likely": keys[likely],
                "doubt": doubt,
            }
            for image, label, likely, doubt in shown
        ],
    }
