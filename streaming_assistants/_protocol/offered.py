"""What a server may not offer: Astra has no steps, a proxy not every route. Sans-IO."""

from __future__ import annotations

import openai

from .plan import Effect, Plan, Received

_NOT_OFFERED = (404, 405, 501)


def offered(ask: Effect) -> Plan[Received]:
    """Asks for what a server may not offer: a value of None where it does not."""
    try:
        received: Received = yield ask
    except openai.APIError as error:
        if getattr(error, "status_code", None) not in _NOT_OFFERED:
            raise
        return Received(None, {})
    return received
