"""The self-retiring rule, on the SDK that is installed: what the SDK alone does wrong, the library repairs.

Whether a defect still shows on any release is a question for all of them: ``matrix.py`` answers it.
"""

from __future__ import annotations

import pytest

from streaming_assistants._patch import stories, stories_polling
from streaming_assistants._patch.judge import Story
from tests.conformance.defects import DEFECTS, behaviours
from tests.conformance.registry import load
from tests.conformance.runner import Outcome, Runner

SHOWN = behaviours(load())
LISTED = {
    "a frame without data": "empty_data_frames_crash",
    "an unknown event": "unknown_events_are_mistyped",
    "a frame of data alone": "data_only_events_have_no_name",
    "a line separator in a text": "line_separator_splits_a_line",
    "a missing blank line between frames": "missing_blank_line_crashes",
    "a last frame without its blank line": "last_frame_is_dropped",
    "a flat error event": "flat_errors_are_lost",
    "an end without a terminal event": "missing_end_looks_like_success",
    "a second tool step": "second_step_has_no_created",
    "a call that a delta restates": "restated_calls_double",
    "a step delta without its created": "delta_without_created_crashes",
    "a message delta without its created": "delta_without_created_crashes",
    "an annotation whose index skips one": "skipped_annotations_merge",
    "an end with fewer blocks than streamed": "fewer_blocks_crash",
    "a second message": "text_done_of_the_previous_message",
    "the end of a run": "tool_call_done_fires_again",
    "current_run in on_event": "current_run_is_stale",
    "get_final_run_steps()": "final_steps_are_stale",
    "an early exit": "no_end_after_break",
    "a handler without super().__init__()": "forgotten_super_init_crashes",
    "an async def callback": "async_callbacks_are_dropped",
    "a server that ignores `after`": "pages_never_end",
    "a status that nobody knows": "unknown_status_polls_for_ever",
    "a run that ends incomplete": "polling_ignores_incomplete",
    "a 404 right after create": "early_404_is_fatal",
    "a fraction in openai-poll-after-ms": "odd_poll_interval_crashes",
    "a second openai-poll-after-ms": "poll_interval_is_read_once",
    "the poll of an async client": "polling_blocks_the_loop",
    "a cancelled batch": "cancelled_batch_polls_for_ever",
    "a citation without a quote": "unquoted_citations_hide_text",
    "azure_deployment": "azure_deployment_breaks_threads",
}
"""The beats of the stories by which the library judges the SDK, and the defect that each is about."""

ORDINARY = {"a tool call", "a status of completed"}

BEATS = {
    beat.about
    for module in (stories, stories_polling)
    for story in vars(module).values()
    if isinstance(story, Story)
    for act in story.acts
    for beat in act.beats
}


# Where the SDK alone waits for ever, this takes as long as the runner's patience, twice: 10 s.
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_this_sdk_is_repaired(defect: str, alone: Runner, patched: Runner) -> None:
    shown = [outcome for outcome in alone.run_all(SHOWN[defect]) if outcome.outcome == "failed"]
    if not shown:
        pytest.skip("this SDK does not show it")
    cases = {case.name: case for case in SHOWN[defect]}
    repaired = [patched.run(cases[outcome.case], outcome.colour) for outcome in shown]
    left = [outcome for outcome in repaired if outcome.outcome == "failed"]
    assert not left, "\n".join(_said(outcome) for outcome in left)


def _said(outcome: Outcome) -> str:
    return f"{outcome.case} [{outcome.colour}] {outcome.reason}"


@pytest.mark.parametrize("about", sorted(BEATS - ORDINARY))
def test_every_defect_of_the_library_has_a_behaviour(about: str) -> None:
    assert LISTED[about] in SHOWN, f"the library repairs what no behaviour of this suite shows: {about}"
