"""People at the door of the dashboard."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from labelhub.projects.models import Project
from labelhub.rounds.progress import count_progress
from tests.factories import NOON, shapes_project


def client_of(user: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def staff(name: str, *permissions: str) -> Client:
    """A member of the staff with some permissions over projects."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return client_of(user)


@pytest.fixture
def ada(db: None) -> Client:
    """Ada runs the projects: she may do everything."""
    return client_of(User.objects.create_superuser("ada"))


@pytest.fixture
def vera(db: None) -> Client:
    """Vera may look at projects and change nothing."""
    return staff("vera", "view_project")


@pytest.fixture
def project(db: None) -> Project:
    """Sixty shapes, twelve of them Gold, counted."""
    project = shapes_project()
    count_progress(now=NOON)
    project.progress.refresh_from_db()
    return project
