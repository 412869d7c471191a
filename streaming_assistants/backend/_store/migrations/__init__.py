"""How a store goes forward from one version of the schema to the next: scripts of Alembic in ``versions/``,
each named after the version that it leads to.

A script changes tables that are there. Tables and indexes that are missing are made from the schema
afterwards, so that a script passes over a table that is missing and a column that is there already. The
version is where it always was, in the table ``streaming_assistants``.
"""
