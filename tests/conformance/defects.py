"""The SDK's defects, by the names that the library's table uses, each shown by behaviours of this suite.

A defect that no release of the matrix shows any more is reported by ``matrix.py`` for removal.
"""

from __future__ import annotations

from tests.conformance.registry import Case

DEFECTS: dict[str, str] = {
    # streams
    "empty_data_frames_crash": "a frame without data ends the stream with JSONDecodeError",
    "unknown_events_are_mistyped": "an unknown event is typed ThreadCreated, or lost",
    "data_only_events_have_no_name": "`data: {event, data}` yields events whose .event is None",
    "missing_end_looks_like_success": "a stream without a terminal event ends silently",
    "last_frame_is_dropped": "a last frame without its blank line is lost",
    "missing_blank_line_crashes": "frames without a blank line between them are lost or crash",
    "byte_order_mark_hides_an_event": "a byte order mark costs the first event its name",
    "flat_errors_are_lost": "an `error` event that is not nested does not raise its message",
    "line_separator_splits_a_line": "U+2028 or U+0085 in a text breaks the frame",
    "malformed_frames_raise_raw_errors": "a malformed frame raises JSONDecodeError or passes as an event",
    "transport_errors_are_raw": "a broken connection raises the transport's error or the SDK's, not both",
    # handlers
    "forgotten_super_init_crashes": "a handler without super().__init__() is an AttributeError",
    "async_callbacks_are_dropped": "`async def` callbacks of a sync handler never run",
    "sync_callbacks_crash": "sync callbacks of an async handler are a TypeError",
    "tool_call_done_fires_again": "on_tool_call_done fires again at the step's and the run's end",
    "second_step_has_no_created": "a second tool step gets no on_tool_call_created",
    "text_done_of_the_previous_message": "on_text_done fires again, under the next block or message",
    "fewer_blocks_crash": "a final message with fewer blocks than streamed is an IndexError",
    "delta_without_created_crashes": "a delta without its created event crashes",
    "final_steps_are_stale": "get_final_run_steps() answers with in_progress steps",
    "current_run_is_stale": "current_run is None or old inside on_event",
    "no_end_after_break": "on_end does not fire after an early exit",
    "skipped_annotations_merge": "annotations whose index skips one are merged",
    "restated_calls_double": "a tool call that a delta restates is doubled",
    "restated_fields_double": "an annotation or a score that a delta restates is doubled",
    "missing_index_crashes": "a delta without an index crashes",
    "skipped_index_crashes": "a block or a call whose index skips one is an IndexError",
    "callback_arguments_change": "objects that a callback was given change afterwards",
    "unquoted_citations_hide_text": "a message whose citation has no quote is read as an image",
    # polling
    "polling_ignores_incomplete": "polling goes on for ever when the run is incomplete",
    "polling_blocks_the_loop": "async polling sleeps with the event loop blocked",
    "unknown_status_polls_for_ever": "polling goes on for ever at a status nobody knows",
    "cancelled_batch_polls_for_ever": "a cancelled batch that counts files in progress is polled for ever",
    "polling_has_no_deadline": "polling cannot be given a deadline",
    "poll_interval_is_read_once": "openai-poll-after-ms is read from the first answer only",
    "odd_poll_interval_crashes": "an openai-poll-after-ms that is no whole number is a ValueError",
    "poll_interval_is_unbounded": "an openai-poll-after-ms of 0 or of an hour is obeyed",
    "polling_arguments_are_unchecked": "a negative or non-numeric interval is noticed late or never",
    "early_404_is_fatal": "a 404 right after create ends polling",
    "failed_upload_loses_the_others": "a file that fails to upload loses the ids of the others",
    # clients
    "copies_lose_repairs": "with_options() and copy() lose what was patched into an instance",
    "azure_deployment_breaks_threads": "AzureOpenAI(azure_deployment=) sends /threads below the deployment",
    "pages_never_end": "a list from a server that ignores `after` goes on for ever",
    "deprecations_point_inside": "one call gives several deprecation warnings, some pointing into the SDK",
}


def behaviours(cases: dict[str, Case]) -> dict[str, list[Case]]:
    """The behaviours that show each defect. Raises for a defect without one, and for an unlisted defect."""
    shown: dict[str, list[Case]] = {defect: [] for defect in DEFECTS}
    for case in cases.values():
        for defect in case.defects:
            if defect not in shown:
                raise ValueError(f"{case.name} shows the defect {defect!r}, which defects.py does not list")
            shown[defect].append(case)
    unshown = [defect for defect, found in shown.items() if not found]
    if unshown:
        raise ValueError(f"no behaviour shows {', '.join(unshown)}")
    return shown
