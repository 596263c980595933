"""Settings. Environment variables are the only difference between the two ways to run.

``docs/operators.md`` documents each variable; a test keeps the two lists equal.
"""

import os
from pathlib import Path
from urllib.parse import quote

import dj_database_url
from csp.constants import NONE, SELF

from labelhub.environment import Environment, read_env_file
from labelhub.supervision.places import broker_url

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = os.environ.get("LABELHUB_MODE", "embedded") == "production"

env = Environment({} if PRODUCTION else read_env_file(BASE_DIR / ".env"))

# Where pictures, models, shards, and (embedded) the database and the broker live.
DATA_DIR = Path(env.optional("DATA_DIR", "") or BASE_DIR / "data").expanduser().resolve()

SECRET_KEY = env.required(
    "LABELHUB_SECRET_KEY",
    "give the server a long random value of its own"
    if PRODUCTION
    else "run 'make install', which writes one into .env",
)
DEBUG = False
ALLOWED_HOSTS = env.names(
    "LABELHUB_ALLOWED_HOSTS", "" if PRODUCTION else "localhost,127.0.0.1,[::1]"
)
CSRF_TRUSTED_ORIGINS = env.names("LABELHUB_TRUSTED_ORIGINS")
HTTPS = env.flag("LABELHUB_HTTPS", default=PRODUCTION)

INSTALLED_APPS = [
    "labelhub.projects",
    "labelhub.annotators",
    "labelhub.votes",
    "labelhub.rounds",
    "labelhub.challenges",
    "labelhub.exchange",
    "labelhub.dashboard",
    "labelhub.benchmarks",
    "workers",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "labelhub.unavailable.DatabaseUnavailableMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "labelhub.urls"
WSGI_APPLICATION = "labelhub.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Rows -------------------------------------------------------------------------------------
DATABASE_URL = env.optional(
    "DATABASE_URL", "" if PRODUCTION else f"sqlite:///{quote(str(DATA_DIR))}/db.sqlite3"
)
if PRODUCTION and not DATABASE_URL:
    DATABASE_URL = env.required("DATABASE_URL", "e.g. postgres://user:password@host/labelhub")
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=600)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Writers queue: see labelhub/sqlite.
    # IMMEDIATE: a deferred transaction that reads and then writes fails under contention.
    # FULL: an acknowledged vote is on the disk before the reply is sent.
    DATABASES["default"]["ENGINE"] = "labelhub.sqlite"
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-8000;"
            "PRAGMA temp_store=MEMORY;"
            # Pages (32 MB): a grid touches some fifty, and a copy into the file waits for the disk.
            "PRAGMA wal_autocheckpoint=8000;"
        ),
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Broker -----------------------------------------------------------------------------------
REDIS_URL = env.optional("REDIS_URL", broker_url(DATA_DIR))
if PRODUCTION:
    REDIS_URL = env.required("REDIS_URL", "e.g. redis://:password@host:6379/0")

# How long a page waits for a network's answer before it says that there is none: 503.
REPLAY_WAIT_SECONDS = 2.0

# --- Files ------------------------------------------------------------------------------------
STATIC_URL = "/static/"
# An image carries the static files of its own version; a folder that outlives it must not.
STATIC_ROOT = Path(env.optional("LABELHUB_STATIC_DIR", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "templates" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Words and time ---------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# --- Who may do what --------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# A trusted proxy that ends TLS says so in this header; set only where such a proxy is in front.
if env.flag("LABELHUB_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# --- Words in the log -------------------------------------------------------------------------
LOG_LEVEL = env.optional("LABELHUB_LOG_LEVEL", "INFO")
# Celery tells of every message that comes and goes, and the clock sends one every 15 s: at INFO the
# words about Rounds would drown in it. Its warnings and errors are heard at any level.
_EVERY_MESSAGE = LOG_LEVEL if LOG_LEVEL == "DEBUG" else "WARNING"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "celery.worker.strategy": {"level": _EVERY_MESSAGE},
        "celery.app.trace": {"level": _EVERY_MESSAGE},
        # A page of traceback for each scanner that asks by number; it gets its 400 all the same.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
