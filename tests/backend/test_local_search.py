"""file_search on upstreams that know functions only: a model's calls of the search are answered here."""

from __future__ import annotations

import json
from time import time
from typing import Any

import pytest

from streaming_assistants.backend._engine.file_port import Hit
from streaming_assistants.backend._engine.file_settings import FileSettings
from streaming_assistants.backend._engine.lifecycle import Keeper
from streaming_assistants.backend._engine.port import (
    Call,
    ContentDelta,
    Conversation,
    Failed,
    Finished,
    Indexed,
    Kept,
    MessageEnd,
    Open,
    ReadFile,
    Search,
    StepEnd,
    ToolCallDelta,
    Turn,
    UpstreamError,
)
from streaming_assistants.backend._engine.run_files import own
from streaming_assistants.backend.upstreams._fitting import WithinMaxPromptTokens
from streaming_assistants.backend.upstreams._local_search import LocalSearch
from streaming_assistants.backend.upstreams.chat import Chat
from streaming_assistants.backend.upstreams.responses import responses

from . import fakes, talk
from .driving import Transcript, drive, turn

pytestmark = pytest.mark.any_sdk

STORES = {"file_search": {"vector_store_ids": ["vs_1"]}}
RANKING = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
FOODS = "The favorite food of several people:\n- Filip Carola: cake"


def hit(text: str = FOODS, name: str = "foods.txt", score: float = 0.68, **more: Any) -> Hit:
    start = more.pop("start", 0)
    file_id = more.pop("file_id", f"file-{name}")
    return Hit("vs_1", file_id, name, score, text, {}, more.get("place", {}), start, start + len(text))


def searching(*items: Any, **values: Any) -> Turn:
    return turn(*items, **{"tools": [talk.FILE_SEARCH], "assistant_tool_resources": STORES, **values})


def wrapped(upstream: Any = None, mode: Any = "function", **more: Any) -> LocalSearch:
    return LocalSearch(WithinMaxPromptTokens(upstream or Chat()), mode, **more)


def query(words: str, call_id: str = "call_1") -> Any:
    return fakes.chat_call("file_search", json.dumps({"query": words}), call_id=call_id)


def run(
    *rounds: Any, found: Any = (), upstream: Any = None, mode: Any = "function", **values: Any
) -> Transcript:
    """``rounds`` are the scripts of the model's answers, ``found`` what the searches find."""
    return drive(wrapped(upstream, mode)(searching(**values)), [e for r in rounds for e in [*r, None]], found)


def results_of(step: Any) -> list[Any]:
    return [call["file_search"]["results"] for call in step]


def test_a_search_is_a_step_and_the_answer_cites_what_it_found() -> None:
    answer = fakes.chat_text("Filip likes", " cake", "【4:0†fo", "ods.txt】", ".")
    done = run(query("Filip's food"), answer, found=[None, [hit()], None])
    indexed, first, search, second = done.asked
    assert indexed == Indexed(["vs_1"])
    assert search == Search(["vs_1"], "Filip's food", 20, None)
    (tool,) = first.body["tools"]
    assert tool["function"]["name"] == "file_search"
    assert tool["function"]["parameters"]["required"] == ["query"]
    assert first.body["messages"] == [{"role": "user", "content": "Hello"}]
    called, output = second.body["messages"][1:]
    assert called["tool_calls"][0]["function"] == {
        "name": "file_search",
        "arguments": '{"query": "Filip\'s food"}',
    }
    assert output["tool_call_id"] == called["tool_calls"][0]["id"] == "call_1"
    assert f"【4:0†foods.txt】\n{FOODS}" in output["content"]
    # As the hosted API showed it: a delta without results, then the step with them.
    deltas = [piece.call for piece in done.said if isinstance(piece, ToolCallDelta)]
    assert deltas[0] == {
        "index": 0,
        "id": "call_1",
        "type": "file_search",
        "file_search": {"ranking_options": RANKING, "results": []},
    }
    assert deltas[1]["file_search"] == {
        "results": [
            {
                "file_id": "file-foods.txt",
                "file_name": "foods.txt",
                "score": 0.68,
                "attributes": {},
                "content": [{"type": "text", "text": FOODS}],
            }
        ]
    }
    assert done.noted == [Kept({"searches": {"call_1": {"query": "Filip's food", "places": [{}]}}})]
    kinds = [type(piece) for piece in done.said]
    assert kinds[:3] == [ToolCallDelta, ToolCallDelta, StepEnd]
    assert kinds[-2:] == [MessageEnd, Finished]
    assert (done.said[2].usage, done.end.usage) == (talk.USAGE, talk.USAGE)
    ((part,),) = done.messages
    assert part["text"]["value"] == "Filip likes cake【4:0†foods.txt】."
    (mark,) = part["text"]["annotations"]
    assert mark["file_citation"] == {"file_id": "file-foods.txt", "quote": ""}
    assert part["text"]["value"][mark["start_index"] : mark["end_index"]] == mark["text"]


def test_the_tool_says_how_it_searches() -> None:
    ranking = {"ranker": "auto", "score_threshold": 0.5}
    tool = {"type": "file_search", "file_search": {"max_num_results": 2, "ranking_options": ranking}}
    done = run(query("x"), fakes.chat_text(), found=[None, [], None], tools=[tool])
    assert done.asked[2] == Search(["vs_1"], "x", 2, ranking)
    assert done.steps[0][0]["file_search"] == {"ranking_options": ranking, "results": []}
    assert "Nothing" in done.body["messages"][-1]["content"]


def test_few_passages_for_the_small_models_and_those_of_all_stores() -> None:
    thread = {"file_search": {"vector_store_ids": ["vs_2", "vs_1"]}}
    done = run(
        query("x"),
        fakes.chat_text(),
        found=[None, [hit("a " * 8000), hit("b " * 4000, start=1), hit("c " * 4000, start=2)], None],
        thread_tool_resources=thread,
        model="gpt-3.5-turbo",
    )
    assert done.asked[2] == Search(["vs_1", "vs_2"], "x", 10, None)  # some may be in both stores
    (results,) = results_of(done.steps[0])
    assert [result["content"][0]["text"][0] for result in results] == ["a"]  # 4,000 tokens are 16,000 bytes


def test_no_more_passages_than_asked_for() -> None:
    tool = {"type": "file_search", "file_search": {"max_num_results": 2}}
    passages = [hit(start=0), hit(start=0), hit(start=1), hit(start=2)]
    done = run(query("x"), fakes.chat_text(), found=[None, passages, None], tools=[tool])
    assert len(results_of(done.steps[0])[0]) == 2


def test_a_passage_of_two_stores_is_given_once_with_its_place() -> None:
    passages = [hit(place={"page": 3}), hit(), hit("other", name="b 【x】.pdf", start=5)]
    done = run(query("x"), fakes.chat_text(), found=[None, passages, None])
    (results,) = results_of(done.steps[0])
    assert [result["file_name"] for result in results] == ["foods.txt", "b 【x】.pdf"]
    told = done.body["messages"][-1]["content"]
    assert "【4:0†foods.txt】 page 3\n" in told
    assert "【4:1†b [x].pdf】\nother" in told


def test_searches_again_and_usage_of_each_round_and_what_is_left_of_limits() -> None:
    done = run(
        query("one"),
        query("two", "call_2"),
        fakes.chat_text("A【6:0†b.txt】【4:0†foods.txt】"),
        found=[None, [hit()], None, [hit("B", name="b.txt")], None],
        max_completion_tokens=100,
        max_prompt_tokens=9000,
    )
    assert [len(step) for step in done.steps] == [1, 1]
    assert [piece.usage for piece in done.said if isinstance(piece, StepEnd)] == [talk.USAGE] * 2
    opened = [piece for piece in done.asked if isinstance(piece, Open)]
    assert [each.body["max_tokens"] for each in opened] == [100, 95, 90]
    marks = done.messages[0][0]["text"]["annotations"]
    assert [mark["file_citation"]["file_id"] for mark in marks] == ["file-b.txt", "file-foods.txt"]


def test_a_limit_that_is_used_up_by_the_search_ends_the_turn() -> None:
    done = run(query("one"), found=[None, [hit()]], max_completion_tokens=5)
    assert done.end == Finished("max_completion_tokens")
    assert len([piece for piece in done.asked if isinstance(piece, Open)]) == 1


def test_an_answer_that_is_cut_in_its_call_searches_nothing() -> None:
    cut = [*query("one")[:3], fakes.chunk({}, "length")]
    done = run(cut, found=[None])
    assert done.end.reason == "max_completion_tokens"
    assert not [piece for piece in done.asked if isinstance(piece, Search)]


def test_text_before_the_search_is_a_message_of_its_own_and_the_model_sees_it_again() -> None:
    script = fakes.chat(
        {"content": "Let me look【7:7†x】."},
        {"tool_calls": [fakes.call_delta(0, '{"query":"x"}', id="call_1", name="file_search")]},
        finish="tool_calls",
    )
    done = run(script, fakes.chat_text("Found."), found=[None, [hit()], None])
    assert [message[0]["text"]["value"] for message in done.messages] == ["Let me look.", "Found."]
    assert done.body["messages"][1]["content"] == "Let me look."
    assert done.body["messages"][1]["tool_calls"]
    assert "【5:0†foods.txt】" in done.body["messages"][2]["content"]


def test_functions_beside_the_search_end_the_turn_in_one_step() -> None:
    calls = [
        fakes.call_delta(0, '{"query":"x"}', id="call_1", name="file_search"),
        fakes.call_delta(1, '{"city":"Rome"}', id="call_2", name="weather"),
        fakes.call_delta(2, '{"query":"y"}', id="call_3", name="file_search"),
    ]
    script = fakes.chat(*({"tool_calls": [call]} for call in calls), finish="tool_calls")
    tools = [talk.WEATHER, talk.FILE_SEARCH]
    done = run(script, found=[None, [hit()], [hit("y")]], tools=tools)
    assert [tool["function"]["name"] for tool in done.body["tools"]] == ["weather", "file_search"]
    (step,) = done.steps
    assert [call["type"] for call in step] == ["file_search", "function", "file_search"]
    assert step[1]["function"] == {"name": "weather", "arguments": '{"city":"Rome"}', "output": None}
    assert [len(each["file_search"]["results"]) for each in (step[0], step[2])] == [1, 1]
    assert not [piece for piece in done.said if isinstance(piece, StepEnd)]
    assert done.end == Finished(None, talk.USAGE)

    # After the outputs the model has all three again, the passages with their markers.
    step[1]["function"]["output"] = "sunny"
    stored = talk.tool_calls(*step, kept=done.noted[-1].value)
    again = drive(
        wrapped()(searching(talk.user("Hello"), stored, tools=tools)),
        fakes.chat_text("Sunny【4:0†foods.txt】【6:0†foods.txt】"),
    )
    called, *outputs = again.body["messages"][1:]
    assert [call["function"]["name"] for call in called["tool_calls"]] == [
        "file_search",
        "weather",
        "file_search",
    ]
    assert FOODS in outputs[0]["content"]
    assert outputs[1]["content"] == "sunny"
    assert len(again.messages[0][0]["text"]["annotations"]) == 2


def test_a_later_turn_knows_what_was_searched_but_not_the_passages() -> None:
    search = {"ranking_options": RANKING, "results": [{"file_id": "f", "file_name": "a.txt", "score": 1}]}
    search["results"][0]["content"] = [{"type": "text", "text": "SECRET"}]
    call = {"id": "call_1", "type": "file_search", "file_search": search}
    kept = {"searches": {"call_1": {"query": "x", "places": [{}]}}}
    hosted = {**call, "id": "call_h"}  # of a server that searched for itself: nobody knows what for
    items = [
        talk.user("One"),
        talk.tool_calls(call, hosted, kept=kept),
        talk.assistant("Said."),
        talk.user("Two"),
    ]
    sent = drive(wrapped()(searching(*items)), fakes.chat_text()).body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "assistant", "user"]
    assert "a.txt" in sent[2]["content"]
    assert "SECRET" not in json.dumps(sent)
    # Without the tool there is no such function, and no call of it.
    sent = drive(wrapped()(searching(*items, tools=[])), fakes.chat_text()).body
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert "tools" not in sent


def test_a_function_of_the_same_name_stays_the_clients() -> None:
    mine = talk.function_tool("file_search", parameters={"type": "object", "properties": {}})
    script = fakes.chat_call("file_search_2", '{"query":"x"}')
    done = run(script, fakes.chat_call("file_search"), found=[None, [], None], tools=[mine, talk.FILE_SEARCH])
    assert [[call["type"] for call in step] for step in done.steps] == [["file_search"], ["function"]]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ('{"query": " a b "}', "a b"),
        ('{"queries": ["a", "b"]}', "a b"),
        ('{"q": "a"}', "a"),
        ('["a", "b"]', "a b"),
        ('"a"', "a"),
        ("{}", None),
        ("not JSON", None),
        ('{"query": 5}', None),
    ],
)
def test_arguments_however_a_model_puts_them(arguments: str, asked: str | None) -> None:
    script = fakes.chat_call("file_search", arguments)
    found = [None, None] if asked is None else [None, [], None]
    done = run(script, fakes.chat_text(), found=found)
    assert [piece.query for piece in done.asked if isinstance(piece, Search)] == ([asked] if asked else [])
    told = done.body["messages"][-1]["content"]
    assert ("needs its argument" in told) is (asked is None)


def test_a_model_that_searches_for_ever_is_stopped() -> None:
    def forever(turn: Turn) -> Conversation:
        yield ToolCallDelta(
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "file_search", "arguments": '{"query":"x"}'},
            }
        )
        yield Finished()

    def once_more(turn: Turn) -> Conversation:
        return forever(turn) if turn.search else fakes_text(turn)

    def fakes_text(turn: Turn) -> Conversation:
        yield ContentDelta({"index": 0, "type": "text", "text": {"value": "Enough."}})
        yield Finished()

    done = drive(wrapped(once_more)(searching()), (), lambda piece: [hit()])
    assert len(done.steps) == 8
    assert done.text == "Enough."
    done = drive(wrapped(forever)(searching()), (), lambda piece: [hit()])
    assert done.end.message == "The model has searched 8 times and would not answer."


@pytest.mark.parametrize("obeys", [True, False])
def test_a_search_that_is_chosen_is_made(obeys: bool) -> None:
    first = query("mine") if obeys else fakes.chat_text("I know that already.")
    done = run(
        first,
        fakes.chat_text("Cake."),
        found=[None, [hit()], None],
        tools=[talk.FILE_SEARCH, talk.WEATHER],
        tool_choice={"type": "file_search"},
    )
    opened = [piece.body for piece in done.asked if isinstance(piece, Open)]
    assert opened[0]["tool_choice"] == {"type": "function", "function": {"name": "file_search"}}
    assert "tool_choice" not in opened[1]
    assert [piece.query for piece in done.asked if isinstance(piece, Search)] == [
        "mine" if obeys else "Hello"
    ]
    assert done.text == "Cake."
    assert [piece.usage for piece in done.said if isinstance(piece, StepEnd)] == [talk.USAGE]


def test_choices() -> None:
    assert run(fakes.chat_text(), tool_choice="none").body["tool_choice"] == "none"
    chosen = drive(wrapped()(searching(tools=[], tool_choice={"type": "file_search"})))
    assert chosen.end.message == "tool_choice asks for file_search, which is not among the run's tools."
    done = run(query("x"), fakes.chat_text(), found=[None, [], None], tool_choice="required")
    opened = [piece.body for piece in done.asked if isinstance(piece, Open)]
    assert [body.get("tool_choice") for body in opened] == ["required", None]


def test_what_is_attached_to_be_searched_is_no_matter_of_the_upstream() -> None:
    both = talk.user("Hello", attachments=[talk.attachment("f", "file_search", "code_interpreter")])
    assert drive(wrapped()(searching(both)), fakes.chat_text()).text == "Hello"
    code = talk.user("Hello", attachments=[talk.attachment("f", "code_interpreter")])
    refused = drive(wrapped()(searching(code)))
    assert "attachment for code_interpreter is not available" in refused.end.message


def test_fewer_passages_where_they_were_too_many() -> None:
    """A server refuses the prompt for its length, and the run's own limit does."""
    too_long = UpstreamError("This model's maximum context length is exceeded: prompt is too long", 400)
    passages = [hit(f"{number} " + "x" * 3000, start=number) for number in range(8)]
    told: list[str] = []

    def answers(piece: Any) -> Any:
        if isinstance(piece, Search):
            return passages
        if isinstance(piece, Open) and len(piece.body["messages"]) > 1:
            told.append(piece.body["messages"][-1]["content"])
            if len(told[-1]) > 8000:
                return too_long
        return None

    script = [*query("x"), None, *fakes.chat_text("Fine【4:1†foods.txt】【4:7†nothing.txt】")]
    done = drive(wrapped()(searching(model="local")), script, answers)
    assert done.text == "Fine【4:1†foods.txt】"
    assert len(told) > 1
    assert told[-1].count("【4:") == 2

    told.clear()
    done = drive(wrapped()(searching(model="local", max_prompt_tokens=1500)), script, answers)
    assert done.end.reason is None
    assert len(told) == 1


def test_a_failure_of_the_search_or_of_the_model_is_one_of_the_run() -> None:
    with pytest.raises(UpstreamError):
        run(query("x"), found=[None, UpstreamError("gone", 500)])
    with pytest.raises(UpstreamError):
        run(query("x"), found=[None, [hit()], UpstreamError("gone", 500)])
    done = run(query("x"), fakes.chat_error("broken"), found=[None, [hit()], None])
    assert done.end == Failed("server_error", "broken")


# Models that call nothing


def test_passages_are_put_before_the_message() -> None:
    done = run(
        fakes.chat_text("Cake【4:0†foods.txt】."),
        found=[[hit()], None],
        mode="always",
        tools=[talk.FILE_SEARCH, talk.WEATHER],
        tool_choice={"type": "file_search"},
    )
    assert [type(piece) for piece in done.asked] == [Indexed, Search, Open]
    assert done.asked[1].query == "Hello"
    (step,) = done.steps
    assert step[0]["id"].startswith("call_")
    (message,) = done.body["messages"]
    assert f"【4:0†foods.txt】\n{FOODS}\nHello" in message["content"]
    assert done.body["tools"] == [talk.WEATHER]
    assert "tool_choice" not in done.body
    assert len(done.messages[0][0]["text"]["annotations"]) == 1

    # What a function's outputs bring on is no new message: the passages stay before the same one.
    weather = talk.function_call("call_w", "weather", "{}", "sunny")
    items = [
        talk.user("Hello"),
        talk.tool_calls(*step, kept=done.noted[-1].value),
        talk.tool_calls(weather),
    ]
    again = drive(wrapped(mode="always")(searching(*items)), fakes.chat_text())
    assert [type(piece) for piece in again.asked] == [Indexed, Open]
    assert [message["role"] for message in again.body["messages"]] == ["user", "assistant", "tool"]
    assert FOODS in again.body["messages"][0]["content"]


def test_nothing_is_put_before_the_message_where_nothing_is_found_or_wanted() -> None:
    done = run(fakes.chat_text(), found=[[], None], mode="always")
    assert done.body["messages"] == [{"role": "user", "content": "Hello"}]
    done = run(fakes.chat_text(), found=[None], mode="always", tool_choice="none")
    assert not done.steps


# Files of the backend's own


def test_images_are_read_here() -> None:
    picture = searching(talk.user("See", talk.image_file("file-1")), tools=[])
    png = b"\x89PNG\r\n\x1a\n"
    done = drive(wrapped()(picture), fakes.chat_text(), [png, None])
    assert done.asked[0] == Call("GET", "/files/file-1/content", raw=True)
    assert own(FileSettings(Keeper("o", time, lambda row, now: True)), done.asked[0]) == ReadFile("file-1")
    assert own(None, done.asked[0]) is None
    asked = drive(wrapped(responses, inline_images=True)(picture), fakes.responses_text(), [png, None])
    image = asked.body["input"][0]["content"][1]
    assert image["image_url"].startswith("data:image/png;base64,")
    assert "file_id" not in image


def test_responses_gets_a_function_too_and_no_id_of_a_file() -> None:
    script = [
        *fakes.ResponseScript().reasoning().call("file_search", '{"query":"x"}').completed(),
        *fakes.responses_text("Cake【4:0†foods.txt】"),
    ]
    wrapper = wrapped(responses, inline_images=True)
    done = drive(wrapper(searching()), script, [None, [hit()], None])
    first, second = (piece.body for piece in done.asked if isinstance(piece, Open))
    assert [tool["type"] for tool in first["tools"]] == ["function"]
    assert "include" not in first
    # Its reasoning goes back with the call.
    assert [item.get("type") for item in second["input"]] == [
        None,
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert done.text == "Cake【4:0†foods.txt】"
    code = {"code_interpreter": {"file_ids": ["file-1"]}}
    turn_ = searching(tools=[talk.CODE_INTERPRETER], assistant_tool_resources=code)
    assert "has no file file-1" in drive(wrapper(turn_)).end.message
