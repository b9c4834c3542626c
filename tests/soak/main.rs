//! A soak, short: some faults in the order of a fixed seed. `cargo xtask soak` has all of them, for ten minutes.
#![allow(clippy::print_stdout, reason = "who looks for a cause wants the order")]

use nearside_tests::faults::soak::{self, Length, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn some_faults_after_each_other_cost_no_get_and_repeat_no_post() {
    let plan = Plan { program: nearside_tests::program(), seed: 5, length: Length::Faults(6) };
    let report = soak::run(&plan, &mut |line| println!("{line}")).await;
    assert_eq!(report.wrong, Vec::<String>::new(), "{}", report.text);
}
