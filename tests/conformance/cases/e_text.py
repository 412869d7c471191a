"""Handlers: messages, texts, images, annotations."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit import Kit, equal
from tests.conformance.registry import Group
from tests.framings import Event, wire
from tests.objects import image, message, message_delta, text, text_delta
from tests.recorder import dumped
from tests.samples import closing, hello, opening, said

handlers = Group("handlers: text")

BEFORE = [*opening(), ("thread.message.created", message(status="in_progress"))]


def _blocks(*deltas: dict[str, Any], final: dict[str, Any]) -> bytes:
    """A message made of these deltas that ends as ``final``."""
    story: list[Event] = [("thread.message.delta", delta) for delta in deltas]
    return wire([*BEFORE, *story, (f"thread.message.{final['status']}", final), *closing()])


@handlers.case()
async def callbacks_of_a_text_in_order(t: Kit) -> None:
    """The callbacks of a text message come in the SDK's order, `on_event` before each."""
    handler = await t.play(wire(hello()))
    equal(
        handler.calls.names(without=("on_event",)),
        ["run_step_created", "message_created", "text_created", "text_delta", "message_delta", "text_delta",
         "message_delta", "text_done", "message_done", "run_step_done", "end"],
    )  # fmt: skip
    equal(handler.calls.count("on_event"), 12)


@handlers.case()
async def text_snapshots_accumulate(t: Kit) -> None:
    """`on_text_delta` gets the piece and the text so far."""
    handler = await t.play(wire(hello("One ", "two ", "three")))
    equal(handler.calls.texts("on_text_delta"), ["One ", "two ", "three"])
    equal(handler.calls.texts("on_text_delta", 1), ["One ", "One two ", "One two three"])


@handlers.case()
async def message_snapshots_accumulate(t: Kit) -> None:
    """`on_message_delta` gets the delta and the message so far."""
    handler = await t.play(wire(hello("One ", "two")))
    calls = handler.calls.of("on_message_delta")
    equal([call.args[0]["content"][0]["text"]["value"] for call in calls], ["One ", "two"])
    equal([call.args[1]["content"][0]["text"]["value"] for call in calls], ["One ", "One two"])


@handlers.case()
async def message_done_has_the_servers_message(t: Kit) -> None:
    """`on_message_done` gets the message as the server completed it."""
    handler = await t.play(_blocks(text_delta("draft"), final=message(text("final"), metadata={"k": "v"})))
    (call,) = handler.calls.of("on_message_done")
    equal((call.args[0]["content"][0]["text"]["value"], call.args[0]["metadata"]), ("final", {"k": "v"}))


@handlers.case()
async def current_message_snapshot(t: Kit) -> None:
    """`current_message_snapshot` holds the message so far, while it streams and after."""
    seen: list[str] = []

    def on_text_delta(handler: Any, delta: Any, snapshot: Any) -> None:
        seen.append(handler.current_message_snapshot.content[0].text.value)

    handler = await t.play(wire(hello()), on_text_delta=on_text_delta)
    equal(seen, ["Hel", "Hello"])
    equal(handler.current_message_snapshot.status, "completed")


@handlers.case("text_done_of_the_previous_message")
async def text_done_once_per_message(t: Kit) -> None:
    """With two messages, each `on_text_done` comes once, with its own text, before its own
    `on_message_done`.
    """
    story = [*opening(), *said("One"), *said("Two", id="msg_2", step_id="step_2"), *closing()]
    handler = await t.play(wire(story))
    equal(handler.calls.texts("on_text_done"), ["One", "Two"])
    done = [call.name for call in handler.calls.of("on_text_done", "on_message_done")]
    equal(done, ["on_text_done", "on_message_done"] * 2)


@handlers.case("text_done_of_the_previous_message")
async def text_done_once_per_block(t: Kit) -> None:
    """With two text blocks in one message, `on_text_done` comes once per block, with that block's text."""
    final = message(text("One"), text("Two"))
    handler = await t.play(_blocks(text_delta("One"), text_delta("Two", 1), final=final))
    equal(handler.calls.texts("on_text_done"), ["One", "Two"])
    equal(handler.calls.count("on_text_created"), 2)


@handlers.case("text_done_of_the_previous_message")
async def text_done_stays_with_its_message(t: Kit) -> None:
    """A message that ends at its second block is not done again under the next message."""
    first: list[Event] = [
        ("thread.message.delta", text_delta("One")),
        ("thread.message.delta", text_delta("Two", 1)),
    ]
    completed: Event = ("thread.message.completed", message(text("One"), text("Two")))
    handler = await t.play(wire([*BEFORE, *first, completed, *said("Three", id="msg_2"), *closing()]))
    equal(handler.calls.texts("on_text_done"), ["One", "Two", "Three"])


@handlers.case("text_done_of_the_previous_message")
async def interleaved_blocks(t: Kit) -> None:
    """With deltas of two blocks in turns, each block is created once and done once."""
    deltas = [text_delta("O"), text_delta("T", 1), text_delta("ne"), text_delta("wo", 1)]
    handler = await t.play(_blocks(*deltas, final=message(text("One"), text("Two"))))
    equal((handler.calls.count("on_text_created"), handler.calls.count("on_text_done")), (2, 2))


@handlers.case()
async def text_created_once_per_message(t: Kit) -> None:
    """`on_text_created` comes once for the text of each message, also when both are at index 0."""
    story = [*opening(), *said("O", "ne"), *said("T", "wo", id="msg_2", step_id="step_2"), *closing()]
    handler = await t.play(wire(story))
    equal(handler.calls.count("on_text_created"), 2)


@handlers.case()
async def image_then_text(t: Kit) -> None:
    """An image block followed by a text block gives `on_image_file_done` and the text's callbacks."""
    picture = message_delta({"index": 0, **image("file_9")})
    handler = await t.play(
        _blocks(picture, text_delta("Look", 1), final=message(image("file_9"), text("Look")))
    )
    equal([call.args[0]["file_id"] for call in handler.calls.of("on_image_file_done")], ["file_9"])
    equal(handler.calls.texts("on_text_done"), ["Look"])


@handlers.case()
async def image_and_text_in_one_delta(t: Kit) -> None:
    """One delta that carries an image part and a text part gives the callbacks of both."""
    blocks = [{"index": 0, **image("file_9")}, {"index": 1, "type": "text", "text": {"value": "Look"}}]
    handler = await t.play(_blocks(message_delta(*blocks), final=message(image("file_9"), text("Look"))))
    equal(handler.calls.count("on_image_file_done"), 1)
    equal(handler.calls.texts("on_text_done"), ["Look"])


@handlers.case()
async def image_alone(t: Kit) -> None:
    """An image as the only block gives `on_image_file_done` when the message is complete."""
    picture = message_delta({"index": 0, **image("file_9")})
    handler = await t.play(_blocks(picture, final=message(image("file_9"))))
    equal([call.args[0]["file_id"] for call in handler.calls.of("on_image_file_done")], ["file_9"])


@handlers.case("fewer_blocks_crash")
async def incomplete_message_without_content(t: Kit) -> None:
    """A message that ends incomplete with empty content, after deltas, is done without an error."""
    handler = await t.play(_blocks(text_delta("Hel"), final=message(status="incomplete")))
    equal(handler.calls.texts("on_text_done"), ["Hel"])
    equal([call.args[0]["status"] for call in handler.calls.of("on_message_done")], ["incomplete"])


@handlers.case("fewer_blocks_crash")
async def fewer_blocks_than_streamed(t: Kit) -> None:
    """A message that is completed with fewer blocks than were streamed is done without an error."""
    handler = await t.play(_blocks(text_delta("One"), text_delta("Two", 1), final=message(text("One"))))
    equal(handler.calls.texts("on_text_done"), ["One", "Two"])
    equal(handler.calls.count("on_message_done"), 1)


@handlers.case("delta_without_created_crashes")
async def delta_without_created_message(t: Kit) -> None:
    """A message delta without its `thread.message.created` builds the message it belongs to."""
    story = [*opening(), *(event for event in said("Hel", "lo") if event[0] != "thread.message.created")]
    story = [event for event in story if event[0] != "thread.message.in_progress"]
    handler = await t.play(wire([*story, *closing()]))
    equal(handler.calls.texts("on_text_delta", 1), ["Hel", "Hello"])
    equal(handler.calls.texts("on_text_done"), ["Hello"])


@handlers.case()
async def annotations_arrive(t: Kit) -> None:
    """An annotation inside a delta is in the snapshot, complete."""
    handler = await t.play(
        _blocks(text_delta("See [0]", annotations=[_cited(0)]), final=message(text("See [0]")))
    )
    (call,) = handler.calls.of("on_text_delta")
    (found,) = call.args[1]["annotations"]
    equal((found["type"], found["file_citation"]["file_id"]), ("file_citation", "file_0"))


@handlers.case("skipped_annotations_merge")
async def annotations_with_a_gap(t: Kit) -> None:
    """Annotations whose index skips one, which comes later, stay apart and whole."""
    deltas = [text_delta("a", annotations=[_cited(0)]), text_delta("b", annotations=[_cited(2)])]
    deltas.append(text_delta("c", annotations=[_cited(1)]))
    handler = await t.play(_blocks(*deltas, final=message(text("abc"))))
    found = handler.calls.of("on_text_delta")[-1].args[1]["annotations"]
    equal(sorted(one["file_citation"]["file_id"] for one in found), ["file_0", "file_1", "file_2"])


@handlers.case("restated_fields_double")
async def a_restated_annotation(t: Kit) -> None:
    """A delta that repeats an annotation under its index does not double its fields."""
    deltas = [text_delta("a", annotations=[_cited(0)]), text_delta("b", annotations=[_cited(0)])]
    handler = await t.play(_blocks(*deltas, final=message(text("ab"))))
    (found,) = handler.calls.of("on_text_delta")[-1].args[1]["annotations"]
    equal((found["file_citation"]["file_id"], found["text"]), ("file_0", "[0]"))


def _cited(index: int) -> dict[str, Any]:
    return {
        "index": index, "type": "file_citation", "text": f"[{index}]", "start_index": 4, "end_index": 7,
        "file_citation": {"file_id": f"file_{index}"},
    }  # fmt: skip


@handlers.case("skipped_index_crashes")
async def a_block_index_that_skips(t: Kit) -> None:
    """A text block whose index skips one is streamed and done like any other."""
    deltas = [text_delta("One"), text_delta("Th", 2), text_delta("ree", 2)]
    handler = await t.play(_blocks(*deltas, final=message(text("One"), text("Three"))))
    equal(handler.calls.texts("on_text_delta", 1), ["One", "Th", "Three"])
    equal(handler.calls.texts("on_text_done"), ["One", "Three"])


@handlers.case()
async def refusals_accumulate(t: Kit) -> None:
    """A refusal that streams in pieces is whole in the message's snapshot."""
    parts = [message_delta({"index": 0, "type": "refusal", "refusal": part}) for part in ("I will", " not")]
    handler = await t.play(_blocks(*parts, final=message({"type": "refusal", "refusal": "I will not"})))
    blocks = [call.args[1]["content"][0]["refusal"] for call in handler.calls.of("on_message_delta")]
    equal(blocks, ["I will", "I will not"])


@handlers.case("callback_arguments_change")
async def callback_arguments_do_not_change(t: Kit) -> None:
    """Objects that a callback was given hold later what they held then."""
    handler = await t.play(wire(hello("One ", "two ", "three")))
    for call in handler.calls:
        equal((call.name, [dumped(arg) for arg in call.live]), (call.name, list(call.args)))
