"""``manage.py export_model PROJECT OUT [--format onnx|safetensors] [--version N] [--json FILE]``"""

import hashlib
import json as json_format
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.atomic import replace_file
from classifier.card import UNSTATED
from classifier.checkpoint import BadCheckpoint
from labelhub.projects.commands import (
    add_json_option,
    file_to_write,
    project_named,
    whole_number,
    write_json,
)
from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import ModelVersion
from workers.exporting import ONNX, SAFETENSORS, card_path, exported


class Command(BaseCommand):
    """Writes the version in service, or another one, as a file that stands alone."""

    help = "Write a model version as one file for use elsewhere, and its card beside it."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Let ``--version`` be the model's, not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("out", type=file_to_write("OUT"), help="the file to write")
        parser.add_argument(
            "--format",
            choices=(SAFETENSORS, ONNX),
            help="safetensors for 'python -m classifier predict', onnx for everything else; "
            "without it, what OUT ends in",
        )
        parser.add_argument(
            "--version",
            type=whole_number("--version", least=1),
            metavar="N",
            help="number of the model version; without it, the one in service",
        )
        parser.add_argument(
            "--licence",
            default=UNSTATED,
            metavar="TEXT",
            help="under which others may use it, for the card",
        )
        add_json_option(parser)

    def handle(self, *, project: str, out: Path, json: str | None, **options: Any) -> None:
        found = project_named(project)
        file_format = _format(out, options["format"])
        version = _version(found, options["version"])
        _refuse_what_is_needed(found, out, json)
        if file_format == ONNX:
            self.stderr.write("Writing ONNX; that takes up to half a minute.")
        try:
            data, told = exported(
                version=version, file_format=file_format, licence=options["licence"]
            )
        except (BadCheckpoint, OSError) as error:
            raise CommandError(f"{found.slug}, {version}: {error}") from error
        except (RuntimeError, ValueError) as error:
            first = str(error).partition("\n")[0]
            raise CommandError(f"{found.slug}, {version} cannot be exported: {first}") from error
        sha256 = hashlib.sha256(data).hexdigest()
        _write(out, data)
        beside = {"file": out.name, "sha256": sha256, **told}
        _write(card_path(out), json_format.dumps(beside, indent=2, ensure_ascii=False).encode())
        write_json({"items": 1, "sha256": sha256}, json, self.stdout)
        if json != "-":
            self.stdout.write(
                f"{version} of {found.slug} is in {out} ({len(data) / 1e6:.1f} MB), "
                f"its card in {card_path(out).name}."
            )


def _format(out: Path, given: str | None) -> str:
    if given:
        return given
    ending = out.suffix.lower().removeprefix(".")
    if ending not in (SAFETENSORS, ONNX):
        raise CommandError(f"OUT {out}: give --format {SAFETENSORS} or --format {ONNX}")
    return ending


def _refuse_what_is_needed(project: Project, out: Path, json: str | None) -> None:
    """Neither a device nor what versions are served from may be overwritten, nor one of the files
    that are written here by another."""
    if out.exists() and not out.is_file():
        raise CommandError(f"OUT {out}: it is no regular file")
    kept = model_folder(project).parent.resolve()
    if out.resolve().is_relative_to(kept):
        raise CommandError(f"OUT {out}: in {kept} lie the files that versions are served from")
    if json not in (None, "-") and Path(json).resolve() in (
        out.resolve(),
        card_path(out).resolve(),
    ):
        raise CommandError(f"--json {json}: the model or its card is written there")


def _version(project: Project, number: int | None) -> ModelVersion:
    versions = ModelVersion.objects.filter(project=project).select_related("project", "round")
    chosen = versions.filter(serving=True) if number is None else versions.filter(number=number)
    version = chosen.first()
    if version is not None:
        return version
    if number is None:
        raise CommandError(
            f"{project.slug} has no model version in service; "
            f"'run_round {project.slug} --wait' makes one"
        )
    known = ", ".join(
        str(one) for one in versions.order_by("number").values_list("number", flat=True)
    )
    raise CommandError(f"{project.slug} has no version {number}; it has: {known or 'none yet'}")


def _write(path: Path, data: bytes) -> None:
    try:
        replace_file(path, data, to_hand_on=True)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error
