"""With which key the upstream is asked: the operator's, the project's, or the caller's own."""

from __future__ import annotations

from collections.abc import Mapping

from streaming_assistants._sdk.untyped import AnyClient

from .._engine import admission
from .._engine.api_errors import ApiError
from .._engine.effects import Work


class UpstreamClients:
    """Clients of one upstream, which differ in their keys alone.

    ``client`` has the operator's key, None of them where ``keyless``; ``keys`` are those of projects. With
    ``callers`` each caller's own key is used for what they ask for, and for nothing else: it is in no store,
    no log and no error.
    """

    def __init__(
        self,
        client: AnyClient,
        keys: Mapping[str, str] | None = None,
        *,
        callers: bool = False,
        keyless: bool = False,
    ) -> None:
        self.client = client
        self.callers = callers
        self._keyless = keyless
        self._by_project = {project: client.copy(api_key=key) for project, key in (keys or {}).items()}

    def asked_by(self, project: str, key: str | None) -> AnyClient:
        """The client for what somebody of a project asks with their ``key``. Raises ApiError."""
        if not self.callers:
            return self.of(project)
        if key is None:
            raise admission.no_key()
        return self.client.copy(api_key=key)

    def of(self, project: str) -> AnyClient:
        """The client for what is done for a project when nobody of it asks. Raises ApiError."""
        client = self._by_project.get(project)
        if client is None:
            if self._keyless:
                whose = f"The project '{project}' has" if project else "This server has"
                raise ApiError(403, f"{whose} no key for the upstream.")
            client = self.client
        return client

    def for_work(self, work: Work) -> AnyClient:
        """The client for work that nobody's request has begun."""
        return self._by_project.get(work.project or "", self.client)

    def shares(self, project: str) -> bool:
        """Whether the upstream cannot tell a project from others by the key that it is asked with."""
        return bool(project) and not self.callers and project not in self._by_project
