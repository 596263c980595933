"""A database that is locked, full or down is a 503 with Retry-After; nothing is acknowledged."""

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)
RETRY_AFTER_SECONDS = 5
UNAVAILABLE = (OperationalError, InterfaceError)


class DatabaseUnavailableMiddleware:
    """Turns database failures of a view into a reply that a client can act on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, UNAVAILABLE):
            return None
        logger.error("database unavailable at %s: %s", request.path, error)
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        if "text/html" in request.headers.get("Accept", ""):
            return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
        return HttpResponse(
            "LabelHub cannot reach its database at the moment. Nothing was stored; "
            "please send the same again in a few seconds.",
            status=503,
            content_type="text/plain; charset=utf-8",
            headers=headers,
        )
