"""Addresses of the grid, below ``/p/<project>/``."""

from django.urls import path

from labelhub.challenges import views

urlpatterns = [
    path("grid/", views.issue, name="issue"),
    path("grid/<str:public_id>/", views.grid, name="grid"),
    path("grid/<str:public_id>/sheet", views.sheet, name="sheet"),
    path("grid/<str:public_id>/answer", views.answer, name="answer"),
    path("grid/<str:public_id>/skip", views.skip, name="skip"),
]
