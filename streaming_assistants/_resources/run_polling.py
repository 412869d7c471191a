"""The helpers that start or continue a run and wait for its end, on a client of either colour."""

from __future__ import annotations

from functools import partial

from streaming_assistants._protocol.plan import Plan
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Model

from .active import Posting, chosen
from .endpoint import Endpoint
from .failing import Failing, checked, ended, flag
from .operations import CREATE_AND_RUN, RUN, SUBMIT, Request
from .polling import REQUEST, RUN_WATCH, Helper, Wanted, start
from .tool_params import taken as tools_of
from .tool_rounds import again, polled_rounds, telling

_RUNS = "beta.threads.runs"
_CREATE = Endpoint("post", RUN, "Run", path=f"{_RUNS}.create")


def poll_run(client: AnyClient, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
    """``runs.poll``."""
    failing, loop = Failing(flag(kwargs, "raise_on_failure")), tools_of(client, kwargs)
    wanted = Wanted.taken(client, kwargs)
    bound = RUN_WATCH.endpoint.operation.bind(args, kwargs)
    plan = RUN_WATCH.plan(client, wanted, bound)

    def go() -> Plan[Model]:
        run = yield from polled_rounds(client, loop, wanted, again(bound), (yield from plan))
        return checked(client, failing, run)

    return telling(loop, go())


def _started(endpoint: Endpoint) -> Helper:
    """Starts or continues a run, and polls it."""

    def plan(client: AnyClient, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
        choice = chosen(kwargs) if endpoint is _CREATE else None
        # Outputs are for the one run that waits for them.
        retries = endpoint.operation is not SUBMIT
        failing = Failing.taken(kwargs) if retries else Failing(flag(kwargs, "raise_on_failure"))
        wanted, loop = Wanted.taken(client, kwargs), tools_of(client, kwargs)
        first = endpoint.request(args, {**kwargs, "stream": False})
        said = {name: kwargs[name] for name in REQUEST if name in kwargs and name != "extra_body"}
        posting = None
        if choice is not None:
            posting = Posting(
                client, first.said["thread_id"], first.said, cancels=choice == "cancel", wanted=wanted
            )

        waited: list[Model] = []  # for outputs, which are not given a second time

        def once(request: Request) -> Plan[Model]:
            begins = endpoint if request is first else _CREATE
            begin = partial(start, client, begins, request, wanted, "id", "thread_id")
            run = yield from (begin() if posting is None else posting.plan(begin))
            ids = {"run_id": run.id, "thread_id": run.thread_id}
            run = yield from RUN_WATCH.plan(client, wanted, {**ids, **said})
            if run.status == "requires_action":
                waited.append(run)
            return (yield from polled_rounds(client, loop, wanted, again(kwargs), run))

        return telling(loop, ended(client, failing, first, once, wanted.left, waited))

    return plan


create_and_poll = _started(_CREATE)
create_and_run_poll = _started(Endpoint("post", CREATE_AND_RUN, "Run", path="beta.threads.create_and_run"))
submit_and_poll = _started(Endpoint("post", SUBMIT, "Run", path=f"{_RUNS}.submit_tool_outputs"))
