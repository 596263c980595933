"""Addresses of a project's own pages, below ``/p/<project>/``."""

from django.urls import path

from labelhub.projects import views

urlpatterns = [
    path("", views.landing, name="project"),
    path("example/<int:image_id>", views.example, name="example"),
]
