"""PostgreSQL without a server to install.

In: a home directory. Out: the address of a running PostgreSQL with Fleet's database and roles.
Never here: SQL about Fleet's tables (``registry`` speaks it), settings, a network other than
loopback, a change to anything outside the home.
"""

from fleet.embedded.address import PostgresAddress
from fleet.embedded.postgres import EmbeddedPostgres, find_postgres, start_postgres

__all__ = ["EmbeddedPostgres", "PostgresAddress", "find_postgres", "start_postgres"]
