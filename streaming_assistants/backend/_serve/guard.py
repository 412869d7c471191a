"""Who may ask a served backend: by the request's Host and its Origin. Sans-IO."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from .._engine.api_errors import ApiError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_ANY = "*"


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


class Guard:
    """``hosts`` are the names, besides those of loopback, that the server is asked by; ``origins`` the pages
    that may ask it from a browser. ``"*"`` in either means all. An unspecified address (``0.0.0.0``) in
    ``hosts`` means every address, but no name: a name may be anybody's that has pointed it here.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._hosts = {_name(host) for host in hosts}
        self._origins = {origin.lower().rstrip("/") for origin in origins}

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Raises for a name that is not this server's: a page may have made its own name point here."""
        match = _HOST.fullmatch(headers.get("host", ""))
        if match is None:
            raise ApiError(400, "The request's Host header is missing or is no host.")
        host = match[1].lower()
        if not (is_loopback(host) or self._knows(_name(host))):
            raise ApiError(
                403,
                f"This server is not to be asked as '{host}'. Start it with --allow-host {host} if it is.",
            )

    def _knows(self, host: str) -> bool:
        if host in self._hosts or _ANY in self._hosts:
            return True
        return bool(self._hosts & {"0.0.0.0", "::"}) and _is_address(host)

    def check_origin(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Raises for a foreign page; answers with the headers that let an allowed one read the answer."""
        origin = headers.get("origin")
        if origin is None:
            return {}
        if origin.lower() in self._origins or _ANY in self._origins:
            return {
                "access-control-allow-origin": origin,
                "access-control-expose-headers": "*",
                "vary": "origin",
            }
        if re.sub("^https?://", "", origin.lower()) == headers.get("host", "").lower():
            return {}
        raise ApiError(
            403, "A page of another origin may not ask this server. Start it with --cors-origin if it may."
        )

    def preflight(
        self, method: str, headers: Mapping[str, str], shared: dict[str, str]
    ) -> dict[str, str] | None:
        """The headers that answer a browser's question whether a page may ask; None for other requests."""
        if method != "OPTIONS" or not shared or "access-control-request-method" not in headers:
            return None
        return {
            **shared,
            "access-control-allow-methods": "GET, POST, DELETE",
            "access-control-allow-headers": headers.get("access-control-request-headers", "*"),
            "access-control-max-age": "600",
        }


def _name(host: str) -> str:
    return host.lower().strip("[]").rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
