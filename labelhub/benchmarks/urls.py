"""Every address of the product, and beside them the floor."""

from django.urls import include, path

from labelhub.benchmarks import floor

urlpatterns = [
    path("floor/read/<int:pk>/", floor.read),
    path("floor/bytes/", floor.some_bytes),
    path("floor/insert/", floor.insert),
    path("", include("labelhub.urls")),
]
