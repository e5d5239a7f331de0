"""Every case of the serving spec, section 9, has a test, or a line of docs/differences.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DIFFERENCES = (TESTS.parent / "docs" / "differences.md").read_text()

TESTED: dict[str, tuple[str, str]] = {
    "1": ("runner/test_engine.py", "test_a_file_that_is_no_model_says_why"),
    "2": ("scheduler/test_decide.py", "test_a_model_is_loaded_once_and_reused"),
    "3": ("scheduler/test_loop.py", "test_the_error_of_a_load_reaches_everyone_who_waits"),
    "4": ("scheduler/test_loop.py", "test_a_lease_gives_an_engine_and_the_second_finds_it_loaded"),
    "5": ("scheduler/test_decide.py", "test_a_reload_waits_for_the_old_runner_to_finish"),
    "6": (
        "scheduler/test_cases.py",
        "test_a_fourth_model_evicts_until_it_fits_and_spares_the_processors",
    ),
    "7": ("scheduler/test_loop.py", "test_without_a_running_loop_the_queue_fills_and_then_refuses"),
    "8": ("service/test_checks.py", "test_missing_weights"),
    "9": (
        "scheduler/test_decide.py",
        "test_unload_of_a_busy_model_waits_and_later_orders_get_a_fresh_one",
    ),
    "10": ("scheduler/test_loop.py", "test_a_busy_model_is_not_unloaded_by_time_or_wish"),
    "11": ("scheduler/test_decide.py", "test_late_news_of_a_runner_that_is_gone_is_harmless"),
    "12": ("scheduler/test_decide.py", "test_keep_alive"),
    "13": ("scheduler/test_cases.py", "test_what_is_loaded_is_not_free_whatever_the_system_says"),
    "14": ("scheduler/test_decide.py", "test_who_must_go"),
    "15": ("scheduler/test_plans.py", "test_what_forces_a_reload"),
    "16 17 18 19": ("scheduler/test_cases.py", "test_what_reloads"),
    "20": ("service/test_plans.py", "test_whether_a_full_context_shifts"),
    "22": (
        "scheduler/test_loop.py",
        "test_a_client_who_leaves_while_waiting_is_forgotten_and_the_load_goes_on",
    ),
    "23": (
        "scheduler/test_decide.py",
        "test_shut_down_fails_who_waits_and_closes_each_runner_once",
    ),
    "24 26": ("scheduler/test_cases.py", "test_room_is_made_before_a_runner_starts"),
    "25": ("scheduler/test_cases.py", "test_layers_that_were_asked_for_evict_nobody"),
    "27": ("scheduler/test_cases.py", "test_only_an_integrated_card_has_the_machines_memory"),
    "28 34 35 36 37 38 39 40 42 44": (
        "scheduler/test_placement.py",
        "test_layers_go_where_there_is_room",
    ),
    "29": (
        "scheduler/test_decide.py",
        "test_a_load_out_of_memory_sends_the_idle_away_and_is_tried_once_more",
    ),
    "30 31": (
        "scheduler/test_cases.py",
        "test_an_automatic_context_is_made_smaller_without_evicting",
    ),
    "41": ("scheduler/test_cases.py", "test_the_last_layers_go_first_whatever_their_sizes"),
    "43": (
        "scheduler/test_cases.py",
        "test_who_would_have_more_layers_without_the_others_waits_for_their_memory",
    ),
    "45": ("runner/test_loads.py", "test_progress_extends_the_time_of_a_load"),
    "46": ("runner/test_loads.py", "test_too_little_memory_is_told_from_other_failures"),
    "47": ("runner/test_loads.py", "test_the_last_words_of_a_child_are_in_the_message"),
    "48": ("service/test_checks.py", "test_formats_that_are_none"),
    "49": ("runner/test_loads.py", "test_an_answer_is_never_longer_than_ten_contexts"),
    "50": ("runner/test_batch.py", "test_prompt_limits"),
    "51": ("runner/test_engine.py", "test_long_prompts_are_cut_or_refused"),
    "52": ("runner/test_reuse.py", "test_the_same_prompt_again"),
    "53": ("runner/test_stages.py", "test_penalties_look_back_so_far"),
    "54": ("runner/test_engine.py", "test_a_full_context_shifts_or_ends"),
    "55": ("runner/test_fake.py", "test_it_says_what_it_was_told_then_falls_silent"),
    "56": ("runner/test_embedding.py", "test_cutting"),
    "57": ("test_config.py", "test_values"),
    "58": ("runner/test_buffers.py", "test_sizes_are_summed"),
    "59": ("runner/test_prefix.py", "test_a_second_sequence_shares_the_beginning"),
    "65": ("runner/test_reuse.py", "test_the_same_prompt_again"),
    "66": ("runner/test_batch.py", "test_discards"),
    "68": ("runner/test_streams.py", "test_a_shift_is_made_in_the_pool"),
    "69": ("runner/test_text.py", "test_stop_words_across_token_borders"),
    "70": ("runner/test_text.py", "test_characters_across_token_borders"),
    "71": ("runner/test_engine.py", "test_log_probabilities_add_up"),
    "72": ("runner/test_sampling.py", "test_options_that_leave_one_token_are_greedy"),
    "73 74 75 76": ("runner/test_stages.py", "test_tokens_come_with_their_chances"),
    "79 80": ("test_config.py", "test_children_get_paths_and_cards_and_no_secrets"),
}
"""Cases and the file and function that has them."""

OTHERWISE: dict[str, str] = {
    "21": "| a model that sees, with a `num_ctx` below 2048 |",
    "32": "| memory runs out while a model is used |",
    "33": "| the batch of a load |",
    "60 61 62 63 64 67": "| one request's limits | one slot each",
    "77 78": "| libraries for cards |",
    "81": "| integrated graphics cards |",
}
"""Cases that are not so here, and the beginning of the line that says how they are."""


KILLS, PLACES, LOADS = "test_kills.py", "test_scheduling.py", "test_loading.py"

REAL: dict[str, tuple[str, str]] = {
    "2 4 a load that many wait for": ("test_together.py", "test_a_cold_model_is_loaded_once"),
    "3 a runner that dies while it loads": (
        KILLS,
        "test_a_runner_that_is_killed_while_it_loads_is_a_status",
    ),
    "5 15 16 17 what reloads": (PLACES, "test_what_reloads_a_model"),
    "7 a full queue": (PLACES, "test_a_full_queue"),
    "9 10 an unload while it answers": (
        PLACES,
        "test_an_unload_waits_for_the_answers_under_way",
    ),
    "12 every form of keep-alive": (PLACES, "test_keep_alive"),
    "12 a keep-alive that ends": (PLACES, "test_the_default_keep_alive"),
    "14 who goes": (PLACES, "test_the_least_recently_used_model_goes"),
    "22 who leaves the queue": (PLACES, "test_who_hangs_up_while_waiting_gives_the_place_up"),
    "23 the end of a server that answers": (KILLS, "test_a_server_ends_in_order"),
    "23 the end of a server that loads": (KILLS, "test_a_server_that_loads_ends_in_order"),
    "30 46 47 a load that runs out of memory": (LOADS, "test_a_load_that_runs_out_of_memory"),
    "45 a load that stalls, or whose client leaves; the queue; priority": (
        LOADS,
        "test_waiting_for_loads",
    ),
    "a runner that dies while it answers": (
        KILLS,
        "test_a_killed_runner_is_an_error_line_and_the_next_request_is_served",
    ),
    "a runner that dies while nobody uses it": (KILLS, "test_an_idle_runner_that_dies_is_noticed"),
    "a runner that hangs": (
        PLACES,
        "test_a_runner_that_hangs_is_ended_and_the_next_request_gets_a_fresh_one",
    ),
    "runners of a killed server": (KILLS, "test_a_runner_that_hangs_follows_its_killed_server"),
    "an end that waits for answers": (
        KILLS,
        "test_a_server_lets_an_answer_end_and_saves_what_its_runner_holds",
    ),
    "what many requests leave": ("test_soak.py", "test_nothing_stays_of_many_requests"),
}
"""The important ones again, by their numbers above: file in e2e/ and function, with a
real server, its runners and tiny models."""


def functions(file: Path) -> set[str]:
    """The names of a file's tests."""
    return {
        node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("case", REAL)
def test_important_cases_are_tried_with_real_processes(case: str) -> None:
    file, name = REAL[case]
    assert name in functions(TESTS / "e2e" / file)
    scripted = {number for cases in TESTED for number in cases.split()}
    assert {word for word in case.split() if word.isdigit()} <= scripted


def test_every_case_is_there_once() -> None:
    numbers = [int(number) for cases in (*TESTED, *OTHERWISE) for number in cases.split()]
    assert sorted(numbers) == list(range(1, 82))


@pytest.mark.parametrize("cases", TESTED)
def test_cases_have_their_tests(cases: str) -> None:
    file, name = TESTED[cases]
    assert name in functions(TESTS / file)


@pytest.mark.parametrize("cases", OTHERWISE)
def test_other_cases_are_told(cases: str) -> None:
    assert OTHERWISE[cases] in DIFFERENCES
