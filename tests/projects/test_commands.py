"""What every management command does with its options before it works."""

import os
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelhub.projects import commands
from labelhub.projects.models import Project
from tests.production.test_start import GIVEN, start

WITH_JSON = [
    ("create_project", "Signs", "--classes", "a bus,a car"),
    ("import_images", "signs", "pictures.zip"),
    ("rank", "signs"),
    ("run_round", "signs"),
    ("rollback", "signs"),
    ("recompute_consensus", "signs"),
    ("aggregate", "votes.csv"),
    ("simulate", "--images", "pictures.npz", "--votes", "votes.csv"),
    ("bench_serving",),
    ("bench_aggregation",),
]


@pytest.mark.django_db
@pytest.mark.parametrize("command", WITH_JSON, ids=lambda command: command[0])
def test_a_result_that_has_no_folder_to_go_to_is_refused_before_any_work(command) -> None:
    with pytest.raises(CommandError, match=r"--json .*there is no folder /nowhere$"):
        call_command(*command, "--json", "/nowhere/result.json")
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    ("command", "culprit"),
    [
        (("aggregate", "votes.csv", "--out", "/nowhere/labels.csv"), "--out /nowhere/labels.csv"),
        (("plot_simulations", "/nowhere/plot.svg", "no.json"), "the SVG /nowhere/plot.svg"),
    ],
)
def test_so_is_any_file_that_a_command_writes_at_its_end(command, culprit) -> None:
    with pytest.raises(CommandError, match=f"^{culprit}: there is no folder /nowhere$"):
        call_command(*command)


def test_a_folder_and_what_may_not_be_written_are_refused_too(tmp_path: Path, monkeypatch) -> None:
    wanted = commands.file_to_write("--json")
    assert wanted(str(tmp_path / "new.json")) == tmp_path / "new.json"
    with pytest.raises(CommandError, match="it is a folder"):
        wanted(str(tmp_path))
    with pytest.raises(CommandError, match="too long"):
        wanted(str(tmp_path / ("x" * 300)))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CommandError, match="you may not write there"):
        wanted(str(tmp_path / "new.json"))


def test_a_refused_option_is_one_line_without_the_usage(tmp_path: Path) -> None:
    given = {**GIVEN, "DATA_DIR": str(tmp_path)}
    done = start(given, "aggregate", "votes.csv", "--json", "/nowhere/result.json")
    assert done.returncode == 1
    said = "CommandError: --json /nowhere/result.json: there is no folder /nowhere\n"
    assert done.stderr == said
