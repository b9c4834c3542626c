//! The suite against proxies that are wrong on purpose: each sin is caught by the case that is named beside it, which a proxy
//! without the sin passes.

use crate::case::Front;
use crate::setting::stage;
use crate::{backend, request};
use nearside_tests::mutant::{self, Sin};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// Runs the case of this name before the mutant at `address`.
fn run(name: &str, address: SocketAddr) -> Result<(), String> {
    let front = Front { address, backend: &stage().backend };
    let cases = request::TABLES.iter().flat_map(|table| table.iter()).find(|case| case.name == name);
    let answers = backend::TABLES.iter().flat_map(|table| table.iter()).find(|answer| answer.name == name);
    let checks = request::CHECKS.iter().chain(backend::CHECKS).find(|(check, _)| *check == name);
    let run = || match (cases, answers, checks) {
        (Some(case), None, None) => case.run(&front),
        (None, Some(answer), None) => answer.run(&front),
        (None, None, Some((_, check))) => {
            check(&front);
            Ok(())
        }
        _ => Err(format!("there is not one case {name}")),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Err(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned()))
    })
}

/// The case of this name catches the sin, and nothing but the sin.
fn caught(sin: Sin, name: &str) {
    static HONEST: OnceLock<SocketAddr> = OnceLock::new();
    let backend = stage().backend.address;
    let honest = *HONEST.get_or_init(|| mutant::start(backend, None));
    assert_eq!(run(name, honest), Ok(()), "without a sin {name} fails");
    let noticed = run(name, mutant::start(backend, Some(sin)));
    assert!(
        noticed.as_ref().is_err_and(|what| !what.starts_with("there is not")),
        "{name} does not notice {sin:?}"
    );
}

macro_rules! sins {
    ($($name:ident: $sin:ident is caught by $case:ident,)*) => {
        $(#[test]
        fn $name() {
            caught(Sin::$sin, stringify!($case));
        })*
    };
}

sins! {
    line_feeds_alone: BareLineFeeds is caught by a_line_feed_alone_does_not_end_the_line,
    merged_lengths: MergesLengths is caught by two_lengths_that_are_the_same_are_refused,
    two_framings: TwoFramings is caught by a_length_and_chunks_are_two_framings,
    joined_lines: Unfolds is caught by a_folded_field_is_refused,
    trimmed_names: TrimsNames is caught by a_coding_with_a_space_before_its_colon_is_refused,
    the_first_of_two_hosts: FirstHost is caught by two_hosts_that_differ_are_refused,
    forwarded_hops: ForwardsHops is caught by what_connection_names_ends_here,
    removed_additions: LosesItsOwn is caught by connection_cannot_remove_the_address,
    forwarded_twins: ForwardsTwins is caught by a_twin_of_the_address_does_not_arrive,
    believed_clients: BelievesClients is caught by an_address_that_a_client_claims_is_replaced,
    upgrades_to_http_2: AsksForH2c is caught by http_2_in_the_clear_is_not_asked_for,
    paths_with_several_readings: AnyPath is caught by an_escaped_slash_is_refused,
    loose_chunks: LooseChunks is caught by a_size_that_ends_in_a_line_feed_is_refused,
    late_fields: AnyTrailer is caught by a_length_does_not_come_late,
    merged_lengths_of_answers: MergesAnswerLengths is caught by an_answer_with_two_lengths_that_differ,
    forwarded_hops_of_backends: ForwardsBackendHops is caught by what_the_backend_s_connection_names_stops_here,
    cuts_that_look_whole: CutsLookWhole is caught by chunks_that_do_not_end,
    bodies_that_are_filled_up: CutsLookWhole is caught by a_body_that_is_shorter_than_announced,
    tunnels_out_of_nowhere: AnySwitch is caught by a_switch_to_a_websocket_out_of_nowhere,
    floods: AnyFlood is caught by an_answer_after_a_flood_of_interim_ones,
    answers_that_nobody_asked_for: KeepsUnasked is caught by an_answer_that_nobody_asked_for_is_nobody_s,
    reuse_after_early_answers: ReusesAfterEarly is caught by an_answer_before_the_request_was_sent_is_the_last,
}
