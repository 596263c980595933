"""The settings of the tests: the product's own, over a throw-away database, broker and folder."""

import os
import tempfile
from pathlib import Path

_scratch = Path(tempfile.mkdtemp(prefix="labelhub-tests-"))
os.environ.setdefault("LABELHUB_SECRET_KEY", "only-for-tests-" + "x" * 40)
os.environ.setdefault("DATA_DIR", str(_scratch))
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # several trainings at once on two cores
os.environ.setdefault(
    "DATABASE_URL", os.environ.get("TEST_DATABASE_URL", f"sqlite:///{_scratch}/db.sqlite3")
)

from labelhub.settings import *  # noqa: E402, F403
from labelhub.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
if DATABASES["default"]["ENGINE"].endswith("sqlite"):
    # A file: an in-memory database is not shared between threads the way a real one is.
    DATABASES["default"]["TEST"] = {"NAME": str(_scratch / "test.sqlite3")}
