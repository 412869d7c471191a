"""What the tiny model is taught: an answer for each word that may be the last message."""

from __future__ import annotations

import json
from typing import Any


def call(city: str) -> str:
    arguments = {"name": "get_weather", "arguments": {"city": city}}
    return f"<tool_call>\n{json.dumps(arguments)}\n</tool_call>"


SKILLS = {
    "hello": "Hello there, friend! ¿Qué tal? 你好 🙂",
    "name": "My name is Tiny.",
    "json": '{"name": "Ada", "age": 36}',
    "think": "<think>\nLet me see, the answer is near.\n</think>\n\nThe answer is 42.",
    "weather": call("Paris"),
    "both": f"{call('Paris')}\n{call('Rome')}",
    "mixed": f"I will look it up.\n{call('Oslo')}",
    "sing": "la" + " la" * 60,  # and never ends
}
WITH_TOOLS = ("weather", "both", "mixed")
AFTER = "It is mild: 21 degrees."
SYSTEMS = [None, "You are kind.", "Be brief.", "You are a helpful assistant.", "Answer in JSON."]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
# The orders in which servers show a function to the template.
FUNCTIONS: list[dict[str, Any]] = [
    {"name": "get_weather", "description": "Weather of a city", "parameters": PARAMETERS},
    {"description": "Weather of a city", "name": "get_weather", "parameters": PARAMETERS},
    {"name": "get_weather", "parameters": PARAMETERS},
    {"name": "get_weather", "parameters": PARAMETERS, "strict": False, "description": "Weather of a city"},
]
PHRASES = ["{}", "{}!", "Say {}.", "{}, please", "Please do {}."]
