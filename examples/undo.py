"""What patch() does to a client, why, and how it is taken back."""

from openai import OpenAI

from streaming_assistants import capabilities, patch, unpatch

client = OpenAI(api_key="unused")
before = type(client), client.beta.threads.runs.create

patched = patch(client)
assert patched is client, "the same object, in place"
assert patch(client) is client, "patching twice changes nothing"
for row in capabilities(client)[:7]:
    print(f"{row.capability:52} {row.provider:22} {row.reason.split(':')[0]}")

unpatch(client)
assert (type(client), client.beta.threads.runs.create) == before, "the SDK's own methods are back"
print("unpatched")
