"""Every address of the web process."""

from django.contrib import admin
from django.urls import include, path

from labelhub.annotators.views import LoginView, LogoutView
from labelhub.projects.views import home

urlpatterns = [
    path("", home, name="home"),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("p/<slug:slug>/", include("labelhub.projects.urls")),
    path("p/<slug:slug>/", include("labelhub.challenges.urls")),
    path("dashboard/", include("labelhub.dashboard.urls")),
    # One door in and one out, also for admins: both drop the annotator cookies.
    path("admin/login/", LoginView.as_view()),
    path("admin/logout/", LogoutView.as_view()),
    path("admin/", admin.site.urls),
]
