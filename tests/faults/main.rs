//! Faults, short: what failed is counted, and what comes after what. The figures, times among them, are the business
//! of `cargo xtask faults`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use nearside_tests::faults::{self, Account, Fault, Kind, Pace, Stage};
use nearside_tests::tool;

/// Carries out the fault: no GET fails, no POST fails but on a faulty backend, none arrives twice, nothing is stale.
async fn hold(fault: Fault) -> Option<Account> {
    let program = nearside_tests::program();
    let stage = Stage { proxy: Kind::Nearside(program.clone()), program, pace: Pace::SHORT };
    if let Some(why) = faults::hindrance(fault, &stage.proxy) {
        tool::skip(&format!("{}: {why}", fault.name()));
        return None;
    }
    let account = faults::run(fault, &stage).await;
    assert_eq!(account.get_failed, 0, "GETs failed: {account:#?}");
    assert_eq!(account.post_elsewhere, 0, "POSTs failed that no faulty backend had: {account:#?}");
    assert_eq!(account.twice, 0, "POSTs arrived twice: {account:#?}");
    assert_eq!(account.stale, 0, "something stale: {account:#?}");
    assert_eq!(account.wrong, Vec::<String>::new(), "{account:#?}");
    Some(account)
}

/// The same; and in the end nothing went to the faulty backends any more.
async fn hold_and_leave(fault: Fault) {
    let account = hold(fault).await.unwrap();
    assert!(account.times.contains_key("left"), "never left: {account:#?}");
}

/// The same, and no POST failed at all, but for those that were on a backend when it was killed.
async fn hold_whole(fault: Fault) {
    if let Some(account) = hold(fault).await {
        assert_eq!(account.post_failed, 0, "POSTs failed: {account:#?}");
    }
}

/// A test for each fault, named after the rule that it shows.
macro_rules! faults {
    ($($name:ident: $hold:ident($fault:ident);)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                $hold(Fault::$fault).await;
            }
        )*
    };
}

faults! {
    a_killed_backend_costs_what_was_on_it: hold_whole(KillOne);
    a_stopped_backend_is_left: hold_and_leave(StopOne);
    a_refusing_backend_costs_nothing: hold_whole(Refuse);
    a_flapping_backend_costs_what_was_on_it: hold_whole(Flap);
    a_backend_with_errors_is_left: hold_and_leave(Errors);
    a_backend_with_errors_that_probes_do_not_see_is_left: hold_and_leave(HiddenErrors);
    a_dripping_backend_costs_nothing: hold_whole(Drip);
    a_killed_tier_costs_what_was_on_it: hold_whole(KillTier);
    a_stopped_tier_is_left: hold_and_leave(StopTier);
    a_tier_with_errors_is_left: hold_and_leave(ErrorsTier);
    reloads_cost_nothing: hold_whole(Reloads);
    a_bad_file_costs_nothing: hold_whole(BadFile);
    a_drained_region_is_left_at_no_cost: hold_whole(Drain);
    an_undrained_region_is_used_again: hold_whole(Undrain);
    a_new_certificate_costs_nothing: hold_whole(Certificate);
    an_upgrade_costs_nothing: hold_whole(Upgrade);
    what_is_in_flight_outlasts_sigterm: hold_whole(Sigterm);
    kept_connections_outlast_the_last_descriptor: hold_whole(Descriptors);
    idle_connections_stay_of_use: hold_whole(Idle);
    names_outlast_their_server: hold_whole(NameServer);
}
