"""``manage.py rank PROJECT [--top 10] [--json FILE]``"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from labelhub.projects.commands import add_json_option, progress, project_named, write_json
from labelhub.projects.models import Image
from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.rounds.selectors import serving_version
from workers.ranking import rank_span, shard_spans


class Command(BaseCommand):
    """Ranks every active image anew with the version in service, in this process."""

    help = "Rank all images by entropy with the version in service."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("--top", type=int, default=10, help="most uncertain images to name")
        add_json_option(parser)

    def handle(self, *, project: str, top: int, json: str | None, **_: Any) -> None:
        found = project_named(project)
        if top < 0:
            raise CommandError(f"--top {top}: give the number of images to name, 0 or more")
        version = serving_version(project=found)
        if version is None:
            raise CommandError(
                f"{found.slug} has no model version in service; "
                f"'run_round {found.slug} --wait' makes one"
            )
        started = time.perf_counter()
        images = _rank(version)
        seconds = time.perf_counter() - started
        most = most_uncertain(version=version, count=top)
        result = {
            "images": images,
            "seconds": round(seconds, 3),
            "images_per_second": round(images / seconds, 1),
            "top": most,
        }
        write_json(result, json, self.stdout)
        if json != "-":
            self.stdout.write(f"{images:,} images ranked by {version} in {seconds:.1f} s.")
            for row in most:
                self.stdout.write(f"  image {row['image']}: entropy {row['entropy']:.4f}")


def _rank(version: ModelVersion) -> int:
    project = version.project
    active = Image.objects.filter(project=project, status=Image.Status.ACTIVE)
    ranked = 0
    with progress("ranked", total=active.count()) as forward:
        for span in shard_spans(project=project):
            done = rank_span(version=version, span=span, clock=timezone.now).images
            forward(done)
            ranked += done
    return ranked


def most_uncertain(*, version: ModelVersion, count: int) -> list[dict[str, float]]:
    """The images that the version is least sure of: id and entropy in nats."""
    rows = Prediction.objects.filter(
        model_version=version, image__status=Image.Status.ACTIVE
    ).order_by("-entropy", "image_id")
    return [
        {"image": image, "entropy": round(entropy, 6)}
        for image, entropy in rows.values_list("image_id", "entropy")[:count]
    ]
