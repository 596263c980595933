"""Who is who on project pages, without spying: one signed first-party cookie for each project.

The cookie ``labelhub-<slug>`` holds the random key of this browser's Annotator in that project and
nothing else, so that visits to two projects cannot be joined. Only replies to a POST set it. A
signed-in user's first POST gives the cookie the key of the user's own Annotator: later requests
need no session. Signing in or out drops these cookies, so that two people at one browser stay two.
"""

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import annotator_for

PREFIX = "labelhub-"
VISITOR_SECONDS = 365 * 24 * 3600


def key_in(request: HttpRequest, *, project_slug: str) -> str | None:
    """The Annotator key that this browser holds for the project; None without a valid cookie.

    The signature is checked once a request, however often the key is asked for.
    """
    name = PREFIX + project_slug
    checked: dict[str, str | None] = vars(request).setdefault("_annotator_keys", {})
    if name not in checked:
        checked[name] = request.get_signed_cookie(
            name, default=None, salt=name, max_age=VISITOR_SECONDS
        )
    return checked[name]


def is_known_in(request: HttpRequest, *, project_slug: str) -> bool:
    """Whether the request comes from someone who may have been served a grid before."""
    return bool(key_in(request, project_slug=project_slug)) or request.user.is_authenticated


def annotator_in(request: HttpRequest, *, project_slug: str, now: datetime) -> Annotator:
    """The Annotator behind a POST, made at the first one. Raises ProjectNotFound.

    The session is read only where there is no cookie yet.
    """
    key = key_in(request, project_slug=project_slug)
    user_id = request.user.pk if key is None else None
    return annotator_for(project_slug=project_slug, key=key, user_id=user_id, now=now)


def remember(
    request: HttpRequest, response: HttpResponseBase, *, annotator: Annotator, project_slug: str
) -> None:
    """Set the cookie, unless the browser holds it already."""
    if key_in(request, project_slug=project_slug) == annotator.key:
        return
    name = PREFIX + project_slug
    response.set_signed_cookie(
        name,
        annotator.key,
        salt=name,
        max_age=settings.SESSION_COOKIE_AGE if annotator.user_id else VISITOR_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def forget_all(request: HttpRequest, response: HttpResponseBase) -> None:
    """Drop the cookies of every project from this browser."""
    for name in request.COOKIES:
        if name.startswith(PREFIX):
            response.delete_cookie(name, samesite="Lax")
