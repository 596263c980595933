"""Run by a test in an interpreter of its own: resolve every route, serve and answer one grid."""

import json
import sys
from io import StringIO

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import get_resolver  # noqa: E402
from django.urls.resolvers import URLPattern, URLResolver  # noqa: E402

from tests.factories import shapes_project  # noqa: E402


def every_view(resolver: URLResolver) -> list[object]:
    views: list[object] = []
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            views.append(pattern.callback)
        else:
            views += every_view(pattern)
    return views


routes = every_view(get_resolver())
call_command("migrate", verbosity=0, stdout=StringIO())
project = shapes_project()
client = Client(headers={"host": "localhost"})
client.get(f"/p/{project.slug}/")
grid = client.post(f"/p/{project.slug}/grid/", follow=True)
print(
    json.dumps({"status": grid.status_code, "routes": len(routes), "modules": sorted(sys.modules)})
)
