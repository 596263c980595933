"""The product's settings plus the bare views of the floor, for the web process of a benchmark."""

from labelhub.settings import *  # noqa: F403

ROOT_URLCONF = "labelhub.benchmarks.urls"
