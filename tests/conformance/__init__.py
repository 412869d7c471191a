"""Named behaviours of the Assistants API, asked of any openai SDK, alone or patched.

``cases/`` holds the behaviours, ``kit.py`` what a case can do, ``server.py`` the other end of the wire,
``runner.py`` runs a case in another process under a deadline, ``matrix.py`` knows the releases.
"""
