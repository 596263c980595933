"""Who may enter: signed-in staff who may see projects; and to act, who may change them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control

from labelhub.projects.models import Project
from labelhub.projects.selectors import project_by_slug

SEE = "projects.view_project"
CHANGE = "projects.change_project"

View = Callable[..., HttpResponse]


def staff_who_may(permission: str) -> Callable[[View], View]:
    """Send strangers to the login and refuse everyone else who lacks the permission (403)."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_the_login(request, kwargs.get("slug"))
            if not (request.user.is_staff and request.user.has_perm(permission)):
                raise PermissionDenied
            response = view(request, *args, **kwargs)
            if not response.has_header("Cache-Control"):
                patch_cache_control(response, private=True, no_store=True)
            return response

        return guarded

    return decorate


def _to_the_login(request: HttpRequest, slug: str | None) -> HttpResponse:
    """A page goes to the login; a part of a page that refreshes itself takes its page along."""
    if "HX-Request" not in request.headers:
        return redirect_to_login(request.get_full_path())
    page = reverse("dashboard:cockpit", args=[slug]) if slug else reverse("dashboard:projects")
    login = redirect_to_login(page).headers["Location"]
    return HttpResponse(status=401, headers={"HX-Redirect": login})


def project_or_404(slug: str) -> Project:
    """The project with its progress. Raises Http404."""
    project = project_by_slug(slug)
    if project is None:
        raise Http404
    return project
