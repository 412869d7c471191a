"""Lists that end: the SDK's auto-paging on servers that ignore ``after``."""

from __future__ import annotations

import inspect
from functools import cache

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import Method, Model
from streaming_assistants.errors import StalledPagesError


def guarded(_client: object, below: Method) -> Method:
    """``list()`` of the SDK, whose pages notice that they do not advance."""

    def call(*args: object, **kwargs: object) -> Model:
        return _sdk.with_page_class(below(*args, **kwargs), advancing)

    return call


@cache
def advancing(page: Model) -> type:
    """A subclass of a page class of the SDK.

    It says that there is no next page where the server says so (``has_more``, which releases before 1.66
    do not look at), and raises StalledPagesError for a next page that is the same again.
    """
    if not hasattr(page, "get_next_page"):
        return page  # type: ignore[no-any-return]

    def has_next_page(self: Model) -> bool:
        return getattr(self, "has_more", None) is not False and page.has_next_page(self)

    def get_next_page(self: Model) -> Model:
        return _checked(self, page.get_next_page(self))

    async def get_next_page_async(self: object) -> Model:
        return _checked(self, await page.get_next_page(self))

    is_async = inspect.iscoroutinefunction(page.get_next_page)
    methods = {
        "has_next_page": has_next_page,
        "get_next_page": get_next_page_async if is_async else get_next_page,
        "__module__": page.__module__,
        "__qualname__": page.__qualname__,
    }
    made: type = type(page)(page.__name__, (page,), methods)
    return made


def _checked(page: Model, following: Model) -> Model:
    ids = [item.id for item in page.data]
    if ids and ids == [item.id for item in following.data]:
        raise StalledPagesError(
            f"Asked for what comes after {ids[-1]}, the server answered with the same page again "
            f"({ids[0]} to {ids[-1]}), and says that there is more: it ignores `after`. "
            "Ask for one page with a larger `limit`, and read its `.data`.",
            following,
        )
    return following
