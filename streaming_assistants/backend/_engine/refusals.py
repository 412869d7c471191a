"""What the hosted API refused beyond a body's shape, in its words; not with ``strict=False``."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from .api_errors import ApiError, bad
from .objects import HOSTED_TOOLS
from .port import Json

_PREFIXES = {
    "assistant_id": "asst",
    "thread_id": "thread",
    "message_id": "msg",
    "run_id": "run",
    "step_id": "step",
    "upload_id": "upload",
    "vector_store_id": "vs",
    "batch_id": "vsfb",
}

# Models that make no chat, and chat models that the Assistants API never took.
_NEVER_SERVED = re.compile(
    r"(text-embedding|whisper|tts|dall-e|gpt-image|sora|omni-moderation|text-moderation|davinci|babbage"
    r"|gpt-3\.5-turbo-instruct|o1-mini|o1-preview|gpt-4o(-mini)?-(realtime|audio|transcribe|tts|search))\b.*"
)
_IMAGE_DATA = re.compile(r"data:(?!image/(png|jpe?g|gif|webp)[;,])", re.IGNORECASE)

UNSUPPORTED_IMAGE = (
    "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
    "['png', 'jpeg', 'gif', 'webp']."
)


def ids(given: Mapping[str, str]) -> None:
    """Ids of another kind, by the names of the parameters that hold them."""
    for name, value in given.items():
        prefix = _PREFIXES.get(name, "")
        if not value.startswith(prefix):
            raise bad(
                f"Invalid '{name}': '{value}'. Expected an ID that begins with '{prefix}'.",
                name,
                "invalid_value",
            )


def assistant(body: Json, whole: Json, served: Container[str], *, v1: bool) -> None:
    """``whole`` is the assistant or run that the body makes, ``served`` the models that are mapped."""
    if body.get("model") is not None and whole["model"] not in served:
        model(whole["model"])
    tools(body.get("tools") or [], v1=v1)
    together(whole)


def model(name: str) -> None:
    if _NEVER_SERVED.fullmatch(name):
        raise bad(
            f"The requested model '{name}' cannot be used with the Assistants API.",
            "model",
            "unsupported_model",
        )


def tools(given: Json, *, v1: bool) -> None:
    names: set[str] = set()
    for index, tool in enumerate(given):
        if tool["type"] == "retrieval" and not v1:
            raise bad(
                "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'function', and "
                "'file_search'.",
                f"tools[{index}].type",
                "invalid_value",
            )
        if tool["type"] == "function":
            name = tool["function"]["name"]
            if name in names:
                raise bad("Function must have unique names.", "tools")
            names.add(name)
            _schema(name, tool["function"].get("parameters"), f"tools[{index}].function.parameters")


def together(whole: Json) -> None:
    """What an assistant or run may not have beside each other."""
    form = whole["response_format"]
    schema = isinstance(form, dict) and form.get("type") == "json_schema"
    if schema and any(tool["type"] in HOSTED_TOOLS for tool in whole["tools"]):
        raise bad(
            "Invalid tools: all tools must be of type `function` when `response_format` is of type "
            "`json_schema`."
        )


def messages(given: Json, name: str) -> None:
    for index, body in enumerate(given or []):
        message(body, f"{name}[{index}].")


def message(body: Json, prefix: str = "") -> None:
    content = body["content"]
    if not content:
        raise _empty(f"{prefix}content")
    for index, part in enumerate(content if isinstance(content, list) else []):
        if part["type"] == "text" and not part["text"]:
            raise _empty(f"{prefix}content[{index}].text")
        if part["type"] == "image_url" and _IMAGE_DATA.match(part["image_url"]["url"]):
            name = f"{prefix}content[{index}].image_url.url"
            raise bad(UNSUPPORTED_IMAGE, name, "invalid_image_format")


def truncation(strategy: Json) -> None:
    if strategy and strategy["type"] == "last_messages" and strategy.get("last_messages") is None:
        name = "truncation_strategy.last_messages"
        raise bad(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def _schema(function: str, schema: Json, name: str) -> None:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if schema and kind != "object":
        raise bad(
            f"Invalid schema for function '{function}': schema must be a JSON Schema of 'type: \"object\"', "
            f"got 'type: \"{kind}\"'.",
            name,
            "invalid_function_parameters",
        )


def _empty(name: str) -> ApiError:
    return bad("Message content must be non-empty.", name)
