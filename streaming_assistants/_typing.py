"""The types that :func:`patch` gives back, for annotations; ``_typing.pyi`` says what they hold.

At runtime a patched client is of the class that it had, so here each name is that class.
"""

import openai

PatchedOpenAI = openai.OpenAI
PatchedAzureOpenAI = openai.AzureOpenAI
PatchedAsyncOpenAI = openai.AsyncOpenAI
PatchedAsyncAzureOpenAI = openai.AsyncAzureOpenAI
