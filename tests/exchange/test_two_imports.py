"""Two people who import the same pictures at once get each picture once, and no error."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection

from labelhub.exchange import services
from labelhub.exchange.services import ImportReport, import_images
from labelhub.projects.models import Example, Gold, Image, Project
from labelhub.rounds.models import Candidate
from tests.exchange import given
from tests.factories import NOON


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_pictures_add_each_of_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, source = given.project(), given.tree(tmp_path / "in", per_class=20)
    monkeypatch.setattr(services, "BATCH", 10)
    together = Barrier(2)

    def take(_: int) -> ImportReport:
        try:
            mine = Project.objects.get(pk=project.pk)
            together.wait()
            return import_images(project=mine, source=source, gold=True, now=NOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        reports = list(people.map(take, range(2)))
    assert [report.rejected for report in reports] == [[], []]
    assert sum(report.added for report in reports) == 60
    assert sum(report.duplicates for report in reports) == 60
    assert Image.objects.count() == Gold.objects.count() == 60
    assert Example.objects.count() == 6
    assert Candidate.objects.count() == 54
