"""What a migration leaves as it was."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from labelhub.projects.models import Project

BEFORE = ("projects", "0007_what_was_found_of_each_class")


@pytest.mark.django_db(transaction=True)
def test_a_project_that_is_there_keeps_its_recipe_and_its_schedule() -> None:
    earlier = MigrationExecutor(connection)
    try:
        state = earlier.migrate([BEFORE])
        state.apps.get_model("projects", "Project").objects.create(name="Old", slug="old")
    finally:
        latest = MigrationExecutor(connection)
        latest.migrate(latest.loader.graph.leaf_nodes())
    old = Project.objects.get()
    assert (old.recipe, old.retrain_every_minutes) == ("seed", 5)
