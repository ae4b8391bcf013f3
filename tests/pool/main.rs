//! The three commands on a real HTCondor pool, as an ordinary user types them.
//!
//! A pool needs root, namespaces and a Debian mirror (see tests/pool/README.md). Where it cannot be had the tests
//! are reported as ignored, but where CI=true they fail. It starts with the first test that wants it, is shared by
//! all of them, and ends with this process however that ends.
//!
//! SPLIT_POOL_RELEASES=trixie,forky names the HTCondor releases to test on: trixie is 23.9, forky is 25.14. On the
//! first all tests run, on the others those that are marked for every release. The default is trixie, or both
//! where CI=true.

mod chain;
mod chaos;
mod checkpoint;
mod condor;
mod damage;
mod evictions;
mod examples;
mod failures;
mod first;
mod folder;
mod held;
mod killed;
mod molecules;
mod planning;
mod pool;
mod programs;
mod rows;
mod site;
mod status;
mod tail;
mod tree;
mod trials;
mod values;
mod versions;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Trial};

use crate::pool::{NoPool, Pool, Setting, Site};

/// Tests wait for HTCondor most of the time: so many run side by side.
const SIDE_BY_SIDE: usize = 8;

/// What a test asks of the pool.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    /// Any pool, of every release.
    EveryRelease,
    /// The pool whose machines share nothing.
    Transfer,
    /// One like that whose machines are switched off now and then, with all that runs on them; of every release.
    EveryRestless,
    /// The pool whose machines share alice's home.
    SharedHome,
    /// That, of every release.
    EverySharedHome,
    /// The pool of two machines.
    TwoMachines,
    /// The pool of one machine.
    OneMachine,
    /// The pool whose machines share nothing, with GROMACS and LAMMPS; of trixie alone.
    Molecules,
    /// No pool but its own.
    Own,
}

type Test = (On, &'static str, fn(&Pool));

macro_rules! tests {
    ($($on:ident $room:ident::$name:ident,)*) => {
        [$((On::$on, stringify!($name), $room::$name),)*]
    };
}

/// Those that take long come first.
#[rustfmt::skip]
const TESTS: [Test; 83] = tests![
    Molecules    molecules::water_in_segments_is_water_in_one_go,
    Molecules    molecules::a_melt_in_segments_is_a_melt_in_one_go,
    Own          chaos::chaos_leaves_the_answer_exact,
    EveryRelease evictions::an_evicted_job_goes_on_where_it_was,
    EveryRelease evictions::what_is_finished_is_kept_from_a_program_that_ignores_an_eviction,
    EveryRelease chain::a_chain_is_as_a_run_in_one_go,
    EveryRestless checkpoint::a_python_program_loses_no_more_than_the_interval,
    EveryRestless checkpoint::a_shell_program_loses_no_more_than_the_interval,
    Transfer     checkpoint::an_evicted_r_program_goes_on_where_it_was,
    EveryRelease rows::values_of_a_table_arrive_byte_for_byte,
    EveryRelease tree::groups_are_merged_on_the_way,
    TwoMachines  failures::two_machines_are_enough_to_retry_and_to_stop,
    EveryRelease programs::a_url_that_cannot_be_fetched_ends_the_dag,
    Transfer     failures::a_machine_without_the_program_is_survived,
    EveryRelease failures::a_black_hole_among_good_machines_is_survived,
    EveryRelease failures::a_program_that_fails_everywhere_stops_the_dag,
    OneMachine   failures::one_machine_tries_again_at_once_and_stops_alone,
    Transfer     failures::a_program_that_starts_nowhere_stops_the_dag,
    EveryRelease failures::a_bad_item_is_narrowed_down_and_mended,
    EveryRelease tail::what_was_damaged_on_arrival_is_computed_again,
    EveryRelease held::a_held_job_is_left_to_the_tail,
    EveryRelease held::memory_grows_where_it_was_too_little,
    EveryRelease held::holds_for_memory_use_up_no_releases,
    EveryRelease tail::what_a_job_yields_is_finished,
    EveryRelease tail::a_tail_that_was_removed_is_cut_anew,
    EverySharedHome tail::the_tail_runs_on_a_shared_file_system,
    EveryRelease killed::a_killed_dagman_comes_back,
    EveryRelease killed::a_killed_runner_leaves_no_orphan,
    Transfer     planning::a_live_dag_is_not_planned_over,
    Transfer     planning::a_removed_dag_goes_on,
    EveryRelease planning::a_plan_is_cut_by_what_items_take,
    EveryRelease planning::the_rest_is_cut_by_what_was_tried_on_the_pool,
    EveryRelease planning::memory_and_disk_are_proposed_by_what_was_used,
    EveryRelease status::counts_and_costs_agree_with_htcondor,
    EveryRelease first::the_three_commands,
    EveryRelease first::a_python_program_of_the_users_own,
    SharedHome   first::a_shared_file_system_transfers_nothing,
    EveryRelease rows::files_of_any_name_reach_their_chunk_alone,
    SharedHome   rows::rows_and_files_are_read_where_they_are,
    Transfer     rows::items_that_a_condition_leaves_out_are_covered,
    SharedHome   tree::groups_are_merged_where_the_partials_are,
    Transfer     programs::a_virtual_environment_travels,
    Transfer     programs::a_uv_project_travels,
    Transfer     programs::an_r_script_runs_unchanged,
    Transfer     programs::modules_are_loaded_by_the_set_up,
    Transfer     versions::a_program_changed_half_way_is_not_mixed,
    Transfer     programs::a_program_with_chatter_writes_its_result,
    Transfer     programs::folders_and_urls_are_inputs,
    Transfer     damage::a_damaged_partial_is_named_and_computed_again,
    Transfer     damage::a_damaged_partial_is_computed_again_on_the_pool,
    Transfer     failures::a_killed_and_a_silent_program_are_told_apart,
    Transfer     failures::text_where_a_number_is_due_fails_the_reduce_node,
    Transfer     trials::a_trial_misses_the_module_that_only_the_user_has,
    Transfer     values::arguments_arrive_byte_for_byte,
    Transfer     values::files_arrive_at_their_places_whatever_their_names,
    Transfer     values::empty_folders_arrive_too,
    Transfer     values::the_environment_is_usable_and_as_given,
    Transfer     first::concat_keeps_the_order,
    Transfer     planning::a_folder_may_have_almost_any_name,
    Transfer     planning::a_folder_that_htcondor_cannot_name_is_refused,
    Transfer     planning::dagman_reads_a_large_plan,
    Transfer     planning::resources_and_containers_are_asked_for,
    Transfer     trials::a_trial_sees_what_a_job_sees,
    SharedHome   trials::a_trial_on_a_shared_file_system_sees_what_a_job_sees,
    EveryRelease site::throttles_are_taken_and_the_access_point_is_spared,
    EveryRelease site::results_are_merged_in_a_job,
    SharedHome   site::results_are_merged_in_a_job_that_is_sent_nothing,
    Transfer     site::gpus_requirements_and_lines_of_the_site_are_asked_for,
    Transfer     site::a_container_is_started_by_the_runner,
    Transfer     examples::squares_of_a_list,
    Transfer     examples::products_of_pairs,
    Transfer     examples::digits_of_a_range,
    Transfer     examples::words_in_order,
    Transfer     examples::a_matrix_product,
    Transfer     examples::frames_in_a_zip,
    Transfer     examples::pi_by_monte_carlo,
    Transfer     examples::words_of_many_files,
    Transfer     examples::walks_in_segments,
    Transfer     examples::a_grid_search,
    Molecules    molecules::what_exactness_needs_is_said,
    Molecules    examples::water_in_segments,
    Molecules    examples::a_melt_in_segments,
    Own          pool::a_pool_leaves_nothing_behind,
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let releases = std::env::var("SPLIT_POOL_RELEASES");
    let releases = releases.unwrap_or_else(|_| if in_ci { "trixie,forky" } else { "trixie" }.to_owned());

    let mut sites = Vec::new();
    let mut trials = Vec::new();
    for (number, release) in releases.split(',').enumerate() {
        let transfer = Arc::new(Site::new(release, Setting::Transfer));
        let restless = Arc::new(Site::new(release, Setting::Transfer));
        let shared = Arc::new(Site::new(release, Setting::SharedHome));
        let two = Arc::new(Site::new(release, Setting::TwoMachines));
        let one = Arc::new(Site::new(release, Setting::OneMachine));
        let molecules = Arc::new(Site::new(release, Setting::Molecules));
        for (on, name, test) in TESTS {
            let is_of_first = !matches!(on, On::EveryRelease | On::EveryRestless | On::EverySharedHome);
            if number > 0 && is_of_first || on == On::Molecules && release != "trixie" {
                continue;
            }
            let site = Arc::clone(match on {
                On::SharedHome | On::EverySharedHome => &shared,
                On::EveryRestless => &restless,
                On::TwoMachines => &two,
                On::OneMachine => &one,
                On::Molecules => &molecules,
                On::EveryRelease | On::Transfer | On::Own => &transfer,
            });
            trials.push(Trial::ignorable_test(format!("{release}::{name}"), move || match site.pool() {
                Ok(pool) => {
                    test(pool);
                    Ok(Completion::Completed)
                }
                Err(NoPool::CannotBeHad) if !in_ci => Ok(Completion::ignored()),
                Err(error) => Err(error.into()),
            }));
        }
        sites.extend([transfer, restless, shared, two, one, molecules]);
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for site in sites {
        site.stop();
    }
    conclusion.exit_code()
}
