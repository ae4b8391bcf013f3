//! Programs with checkpoints, killed in every way.
//!
//! The programs are this one, started again with `worker` as its first word; those in Python are beside it and in
//! examples/checkpoint/. `SPLIT_KILLS=3000 cargo test --test checkpoint -- storm` kills 3,000 of them at random moments (in two minutes), where
//! the suite kills 108.

mod classic;
mod disk;
mod kit;
mod languages;
mod outputs;
mod packages;
mod python;
mod refusals;
mod storm;
mod threads;

#[path = "../../examples/checkpoint/by_hand.rs"]
mod by_hand;
#[path = "../../examples/checkpoint/sum.rs"]
mod sum;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

macro_rules! tests {
    ($($room:ident::$name:ident,)*) => {
        [$((concat!(stringify!($room), "::", stringify!($name)), $room::$name as fn()),)*]
    };
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    if let [word, program, ..] = &words[..]
        && word == "worker"
    {
        return worker(program, &words[2..]);
    }
    let tests = tests![
        classic::what_each_form_comes_to_is_what_its_table_says,
        classic::the_mistakes_are_what_they_are_said_to_be,
        classic::the_mistakes_are_what_they_are_said_to_be_in_python,
        disk::a_full_disk_keeps_the_older_state,
        disk::a_save_that_fails_is_tried_again_in_a_while,
        disk::a_save_at_sigterm_and_the_exit_code,
        languages::what_rust_writes_python_reads_and_the_other_way_round,
        languages::a_loop_changes_its_language_half_way,
        outputs::what_was_written_after_the_last_save_is_cut_off,
        outputs::a_file_that_is_not_what_was_written_is_not_gone_on_from,
        outputs::either_name_is_enough,
        outputs::a_file_of_another_is_not_written_over,
        outputs::what_is_its_users_stays,
        outputs::a_file_on_another_file_system_is_there_at_the_end,
        outputs::a_loop_with_an_output_changes_its_language_half_way,
        packages::the_library_has_few_dependencies,
        python::the_library_for_python,
        python::the_library_for_python_and_numpy,
        python::seeds_are_those_of_rust,
        refusals::what_was_written_for_something_else,
        refusals::older_layouts,
        refusals::older_states_in_every_loop,
        refusals::a_some_of_nothing,
        refusals::a_failure_that_no_tick_is_left_to_tell_of,
        refusals::ticks_at_the_wrong_time,
        refusals::two_at_once,
        refusals::settings_that_make_no_sense,
        refusals::in_the_background,
        refusals::when_a_save_is_due,
        storm::range,
        storm::until,
        storm::own,
        storm::background,
        storm::threads,
        storm::output,
        storm::rayon,
        storm::python_steps,
        storm::python_background,
        storm::python_own,
        storm::python_output,
        threads::a_naive_loop_is_torn_and_ours_is_not,
        threads::as_without_threads_to_the_last_bit,
        threads::a_panic_ends_all_threads_and_saves_nothing_half_done,
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn worker(program: &str, words: &[String]) -> ExitCode {
    let ended = match program {
        "sum" => sum::main().map_err(|error| error.to_string()),
        "by-hand" => by_hand::main().map_err(|error| error.to_string()),
        "storm" => storm::work(&words[0], &words[1]).map_err(|error| error.to_string()),
        "disk" => disk::work().map_err(|error| error.to_string()),
        "background" => refusals::in_vain().map_err(|error| error.to_string()),
        "hold" => refusals::hold().map_err(|error| error.to_string()),
        _ => Err(format!("{program} is no worker")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            kit::say(&error);
            ExitCode::FAILURE
        }
    }
}
