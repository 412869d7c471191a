"""Keeps code written against OpenAI's Assistants API working, on every ``openai`` SDK and server.

from openai import OpenAI
from streaming_assistants import patch

client = patch(OpenAI())
"""

from ._activation.installed import install, uninstall
from ._patch.client import capabilities, patch, unpatch
from ._protocol.dialects import UnknownEvent
from .citations import Citation, CitedText, cited
from .errors import (
    FileUploadError,
    IncompleteStreamError,
    MalformedEventError,
    NoFinalObjectError,
    PollTimeoutError,
    RunFailedError,
    StalledPagesError,
    StreamingAssistantsError,
    ToolRoundsError,
)
from .handlers import AssistantEventHandler, AsyncAssistantEventHandler
from .tools import FunctionTool, ToolError, function_tool

__all__ = [
    "AssistantEventHandler",
    "AsyncAssistantEventHandler",
    "Citation",
    "CitedText",
    "FileUploadError",
    "FunctionTool",
    "IncompleteStreamError",
    "MalformedEventError",
    "NoFinalObjectError",
    "PollTimeoutError",
    "RunFailedError",
    "StalledPagesError",
    "StreamingAssistantsError",
    "ToolError",
    "ToolRoundsError",
    "UnknownEvent",
    "capabilities",
    "cited",
    "function_tool",
    "install",
    "patch",
    "uninstall",
    "unpatch",
]
