"""``function_tool``: what the model is told of a function."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pydantic
import pytest

from streaming_assistants import FunctionTool, function_tool

pytestmark = pytest.mark.any_sdk

PYDANTIC_1 = pydantic.VERSION.startswith("1.")


class Place(pydantic.BaseModel):
    city: str
    title: str = "Dr"


@function_tool
def get_weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    """The weather in a city.

    Measured at noon.
    """
    return f"18 {unit} in {city}"


def test_a_definition_is_made_of_the_signature() -> None:
    assert get_weather.definition == {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.\n\nMeasured at noon.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }


def test_a_definition_is_a_new_one_each_time() -> None:
    kept = copy.deepcopy(get_weather.definition)
    changed: Any = get_weather.definition
    changed["function"]["parameters"]["properties"].clear()
    assert get_weather.definition == kept


def test_called_directly_it_is_the_function() -> None:
    assert get_weather("Rome", unit="f") == "18 f in Rome"
    assert get_weather.__name__ == "get_weather"
    assert get_weather.__doc__ == inspect.unwrap(get_weather).__doc__
    assert list(inspect.signature(get_weather).parameters) == ["city", "unit"]


def test_names_and_descriptions_can_be_given() -> None:
    @function_tool(name="weather-2", description="Says it.")
    def weather(city: str) -> str:
        """Not this."""
        return city

    function: Any = weather.definition["function"]
    assert (weather.name, function["name"]) == ("weather-2", "weather-2")
    assert function["description"] == "Says it."
    assert function_tool(lambda: "", name="nothing").definition == {
        "type": "function",
        "function": {
            "name": "nothing",
            "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
        },
    }


def parameters(tool: FunctionTool[..., Any]) -> Any:
    function: Any = tool.definition["function"]
    return function["parameters"]


def test_models_and_descriptions_of_parameters() -> None:
    @function_tool
    def visit(
        place: Place,
        note: Annotated[str, pydantic.Field(description="What to say.")],
        schema: int | None = None,
    ) -> str:
        return ""

    made = parameters(visit)
    assert list(made["properties"]) == ["place", "note", "schema"]
    assert made["properties"]["note"] == {"description": "What to say.", "type": "string"}
    assert made["required"] == ["place", "note"]
    place = made["definitions" if PYDANTIC_1 else "$defs"]["Place"]
    assert place["properties"] == {"city": {"type": "string"}, "title": {"type": "string", "default": "Dr"}}
    assert "title" not in place


def test_strict_requires_everything() -> None:
    @function_tool(strict=True)
    def visit(place: Place, places: list[Place], unit: Literal["c", "f"] = "c") -> str:
        return ""

    function: Any = visit.definition["function"]
    assert function["strict"] is True
    made = function["parameters"]
    assert made["required"] == ["place", "places", "unit"]
    assert made["properties"]["unit"] == {"type": "string", "enum": ["c", "f"]}
    assert list(made["properties"]["place"]) == ["$ref"]
    place = made["definitions" if PYDANTIC_1 else "$defs"]["Place"]
    assert place["required"] == ["city", "title"]
    assert place["additionalProperties"] is False


def test_strict_leaves_it_to_the_model_to_give_none() -> None:
    def visit(city: str, day: Annotated[str | None, pydantic.Field(description="Which")] = None) -> str:
        return ""

    tool = function_tool(visit, strict=True)
    assert parameters(tool)["properties"]["day"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "description": "Which",
    }


def test_strict_says_what_it_cannot_say() -> None:
    @function_tool(strict=True)
    def note(things: dict[str, int]) -> str:
        return ""

    with pytest.raises(TypeError, match="strict=True: things may have any property"):
        note.definition  # noqa: B018


class Station:
    def __init__(self, name: str) -> None:
        self.name = name

    @function_tool
    def measure(self, city: str) -> str:
        """Measures."""
        return f"{self.name}: {city}"

    @function_tool
    @classmethod
    def known(cls, city: str) -> str:
        return f"{cls.__name__}: {city}"

    @function_tool
    @staticmethod
    def anywhere(city: str) -> str:
        return city

    @staticmethod
    @function_tool
    def elsewhere(city: str) -> str:
        return city

    borrowed = get_weather


def test_methods_are_bound_to_their_object() -> None:
    station = Station("S1")
    wanted = {"city": {"type": "string"}}
    for tool in (
        station.measure,
        Station.measure,
        Station.known,
        station.known,
        Station.anywhere,
        station.elsewhere,
    ):
        assert parameters(tool)["properties"] == wanted  # type: ignore[arg-type]
    assert station.measure("Rome") == "S1: Rome"
    assert Station.measure(station, "Rome") == "S1: Rome"
    assert Station.known("Rome") == station.known("Rome") == "Station: Rome"
    assert station.anywhere("Rome") == Station.elsewhere("Rome") == "Rome"
    assert station.borrowed is get_weather
    assert function_tool(station.measure.__wrapped__, name="m")("Rome") == "S1: Rome"


def test_async_functions_stay_what_they_are() -> None:
    @function_tool
    async def wait(seconds: float) -> str:
        return ""

    coroutine = wait(1.0)
    assert inspect.iscoroutine(coroutine)
    coroutine.close()
    assert parameters(wait)["properties"] == {"seconds": {"type": "number"}}


def test_a_function_without_a_name_needs_one() -> None:
    part = functools.partial(get_weather.__wrapped__, unit="c")
    with pytest.raises(ValueError, match="say another by name="):
        function_tool(part)
    tool = function_tool(part, name="weather")
    assert "city" in parameters(tool)["properties"]
    assert tool.description == get_weather.description


@pytest.mark.parametrize("name", ["", "two words", "a" * 65, "köln", "a.b"])
def test_a_name_that_the_api_refuses_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 letters"):
        function_tool(get_weather.__wrapped__, name=name)


def unannotated(city) -> str:  # type: ignore[no-untyped-def]
    return str(city)


def variadic(*cities: str) -> str:
    return ""


def positional(city: str, /) -> str:
    return city


def open_ended(**more: str) -> str:
    return ""


def unknown(city: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821
    return ""


class Odd:
    pass


def odd(thing: Odd) -> str:
    return ""


def called_back(when_done: Callable[[], None]) -> str:
    return ""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unannotated, "needs an annotation for 'city'"),
        (variadic, r"\*cities: .* is not given by name"),
        (positional, "is not given by name"),
        (open_ended, "is not given by name"),
        (unknown, "names what its module does not know"),
        (odd, "^odd.. cannot be a tool: an annotation that cannot be validated"),
        (called_back, "^called_back.. cannot be a tool: an annotation that has no JSON schema"),
    ],
)
def test_a_signature_that_makes_no_schema_says_so(function: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        function_tool(function).definition  # noqa: B018


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a function, got 3"):
        function_tool(3)  # type: ignore[call-overload]
