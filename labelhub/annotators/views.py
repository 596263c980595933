"""Signing in and out. Both drop the annotator cookies: whoever comes next is someone else."""

from typing import Any

from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse

from labelhub.annotators.identity import forget_all


class LoginView(auth_views.LoginView):
    """The one door for admins and annotators with an account."""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        forget_all(self.request, response)
        return response


class LogoutView(auth_views.LogoutView):
    """By POST only, so that no link or picture can sign anyone out."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        forget_all(request, response)
        return response
