"""``import streaming_assistants.auto``: every client of the program is patched, as the environment says.

``STREAMING_ASSISTANTS_BACKEND`` (``responses``, ``chat`` or ``echo``; none where a server answers the API),
``STREAMING_ASSISTANTS_STORE`` (a SQLite file or a SQLAlchemy URL), ``STREAMING_ASSISTANTS_BASE_URL`` (what
every client asks) and ``STREAMING_ASSISTANTS_MODELS`` (``OLD=NEW,OLD=NEW``). Raises what
:func:`streaming_assistants.install` does.
"""

from __future__ import annotations

from ._activation.installed import install_from_environment

install_from_environment()
