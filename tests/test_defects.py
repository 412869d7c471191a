"""The stories by which the SDK is judged: told right by ours, and where the SDK alone goes wrong in them.

The same stories decide at run time whether the library steps in. Which releases have which defect is told
by the conformance matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

import streaming_assistants
from streaming_assistants import _sdk
from streaming_assistants._patch import adaptations, stories, stories_polling
from streaming_assistants._patch.capability import resolve
from streaming_assistants._patch.judge import Act, Beat, Stage, Story
from streaming_assistants._patch.table import TABLE

STORIES: dict[str, Story] = {
    "streams": stories.STREAM,
    "handlers": stories.HANDLER,
    "pages": stories.PAGES,
    "runs": stories_polling.RUNS,
    "files": stories_polling.FILES,
    "batches": stories_polling.BATCHES,
}
ABOUT = {name: {beat.about for act in story.acts for beat in act.beats} for name, story in STORIES.items()}

SOME_RELEASES = {
    # since streams are told to put the name and the data together (2.24)
    "a frame of data alone": "options" in _sdk.parameters(openai.Stream.__init__),
    # until lines were split before they were decoded (1.16.2)
    "a line separator in a text": not hasattr(openai._streaming.SSEDecoder, "iter_bytes"),
    # until the first releases that poll were mended (1.28.2, 1.30)
    "the poll of an async client": None,
    "a run that ends incomplete": None,
    # ordinary, and right in each: what another beat goes wrong in would show here too
    "a tool call": False,
    "a status of completed": False,
}
"""What some releases get right, and what tells (None: not by looking). All else is wrong in every one."""

every_story = pytest.mark.parametrize("name", STORIES)


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the stories told to the library: patched clients, our handler for the SDK's, and no waiting."""
    for story in (*(each.story for each in TABLE if each.story is not None), adaptations.INCLUDE):
        story.divergence()  # what is patched asks too, and that is about the SDK's own
    clients: list[Any] = []

    def client(*args: Any, **kwargs: Any) -> Any:
        clients.append(streaming_assistants.patch(_sdk.memory_client(*args, **kwargs)))
        return clients[-1]

    def sleep(seconds: float) -> Any:
        paths = ("beta.threads.runs", "vector_stores.files", "vector_stores.file_batches")
        resources = (resolve(clients[-1], path) for path in paths)
        return next(vars(each)["_sleep"] for each in resources if "_sleep" in vars(each))(seconds)

    monkeypatch.setattr(_sdk, "probe_client", client)
    monkeypatch.setattr(_sdk, "probe_handler", lambda: streaming_assistants.AssistantEventHandler)
    for module in ("time", "anyio"):
        clock = type("Clock", (), {"sleep": staticmethod(sleep)})
        monkeypatch.setattr(f"streaming_assistants._io.drive.{module}", clock)


def told(story: Story) -> tuple[str, ...]:
    """What goes wrong, asked anew."""
    return Story(*story.acts).divergences()


@every_story
@pytest.mark.usefixtures("ours")
def test_ours_tells_it_right(name: str) -> None:
    assert told(STORIES[name]) == ()


@every_story
def test_the_sdk_alone_goes_wrong(name: str) -> None:
    client = openai.OpenAI(api_key="test")
    runs = client.beta.threads.runs
    if name in ("streams", "handlers"):
        if "stream" not in _sdk.parameters(type(runs).create):
            assert not hasattr(runs, "create_and_stream")  # this release cannot stream at all
            return
    elif name != "pages":
        owner = runs if name == "runs" else resolve(client, "vector_stores.file_batches")
        if not hasattr(owner, "poll"):
            return
    wrong = {line.partition(" makes the SDK ")[0] for line in told(STORIES[name])}
    assert {about for about in ABOUT[name] if SOME_RELEASES.get(about, True) is True} <= wrong
    assert not {about for about in wrong if SOME_RELEASES.get(about) is False}


def test_each_beat_has_a_name_that_can_stand_in_a_list_of_reasons() -> None:
    for name, about in ABOUT.items():
        assert len(about) == sum(len(act.beats) for act in STORIES[name].acts)
        assert not any("; " in each or ": " in each for each in about)


# ---------------------------------------------------------------- the judge


def says(stage: Stage) -> None:
    """Sees what the server says; ``!`` is what the SDK cannot take."""
    for word in stage.server():
        if word == "!":
            raise ZeroDivisionError
        stage.see(word)


def test_what_is_as_due_is_sound() -> None:
    assert told(Story(Act(says, Beat("one", "a, b", "a", "b"), Beat("two", "c", "c")))) == ()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (("a", "x"), "it makes the SDK x, where it should b"),
        (("a",), "it makes the SDK do nothing, where it should b"),
        (("a", "b", "b"), "it makes the SDK b, where it should do nothing"),
        (("a", "!"), "it makes the SDK raise ZeroDivisionError, where it should b"),
    ],
)
def test_whatever_differs_is_a_defect_whether_it_has_a_name_or_not(said: tuple[str, ...], shown: str) -> None:
    assert told(Story(Act(says, Beat("it", "a, b", *said)))) == (shown,)


def test_what_went_wrong_is_left_out_and_the_rest_is_told_again() -> None:
    crash, late, end = Beat("crash", "a", "!"), Beat("late", "b", "x"), Beat("end", "c", "!")
    told_once = Story(Act(says, crash, Beat("right", "r", "r"), late, end), Act(says, Beat("more", "m", "n")))
    shown = (
        "crash makes the SDK raise ZeroDivisionError, where it should a",
        "late makes the SDK x, where it should b",
        "end makes the SDK raise ZeroDivisionError, where it should c",
        "more makes the SDK n, where it should m",
    )
    assert told(told_once) == shown
    assert told_once.divergence() == shown[0]


def test_a_story_is_told_once_in_a_process() -> None:
    played: list[int] = []

    def play(stage: Stage) -> None:
        played.append(1)

    story = Story(Act(play, Beat("it", "a")))
    assert not story.is_told
    assert story.divergence() == story.divergence() == "it makes the SDK do nothing, where it should a"
    assert story.is_told
    assert played == [1]


def test_an_act_that_cannot_begin_goes_wrong_in_its_first_beat() -> None:
    def play(stage: Stage) -> Iterator[Any]:
        raise AttributeError("no such method")

    assert (
        Story(Act(play, Beat("it", "a"), Beat("end", "b"))).divergence()
        == "it makes the SDK raise AttributeError, where it should a"
    )
