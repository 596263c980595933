#!/usr/bin/env python3
"""Django's command line."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, execute_from_command_line
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor


def main() -> None:
    """Run a command; what stands in the way of any command is told in words."""
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a variable is missing or wrong: its name says it all
        sys.exit(f"LabelHub cannot start: {error}")
    except CommandError as error:  # of an option: Django catches those of the work itself
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"CommandError: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)  # as a shell has it
    except DatabaseError:
        waiting = 0 if "--traceback" in sys.argv else migrations_waiting()
        if not waiting:
            raise
        sys.exit(
            f"migrations that the database lacks: {waiting}; run 'manage.py migrate' first "
            "('make run' does so by itself)"
        )


def migrations_waiting() -> int:
    """How many migrations the code counts on and the database lacks; 0 where it cannot be asked."""
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError:
        return 0
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.settings")
    main()
