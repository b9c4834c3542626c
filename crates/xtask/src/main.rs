//! `cargo xtask`: the project's own tools. One file per task; the list of them is [`Task`].
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these tools talk to the person who called them"
)]

mod compare;
mod demo;
mod driver;
mod faults;
mod folder;
mod fuzz;
mod order;
mod package;
mod peers;
mod process;
mod record;
mod release;
mod server;
mod site;
mod soak;
mod test;
mod tidy;
mod tools;
mod wan;

use std::process::ExitCode;

use anyhow::{Error, Result};
use clap::{Parser, Subcommand};

/// The project's own tools.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// Every task; each variant is carried out by the file of its name.
#[derive(Subcommand)]
enum Task {
    /// What a request costs and what a connection holds, beside nginx, HAProxy, Envoy and pingora-proxy in the same run.
    Compare(compare::Arguments),
    /// Builds nearside and runs `nearside demo`: the whole product in one command.
    Demo(demo::Arguments),
    /// Drives 100 requests a second through each fault and says what became of them, beside other proxies if asked to.
    Faults(faults::Arguments),
    /// Attacks what reads from outside with mutated inputs: a smoke for all targets, or one target for long, by coverage.
    Fuzz(fuzz::Arguments),
    /// Builds the program for release with the functions that run side by side, and notes which those are.
    Order,
    /// Builds the Debian package: program, unit, manual, completions and the example of a file.
    Package(package::Arguments),
    /// Builds the program as it is released: twice, the second time by a profile of the first under load.
    Release,
    /// Carries out all faults in random order for ten minutes, and compares the backends' ledgers with what clients saw.
    Soak(soak::Arguments),
    /// Runs all tests, the documentation's examples, and the house rules.
    Test(test::Arguments),
    /// Holds the tree to the house rules; every finding comes with its remedy.
    Tidy,
    /// Finds the programs that builds and tests need, and installs those that are missing where it may.
    Tools(tools::Arguments),
    /// How long requests take through a PoP on a network of real distances, beside nginx and what the distances allow.
    Wan(wan::Arguments),
}

/// Ends with 0 when all is well and 1 when something failed; clap ends a wrong call with 2.
fn main() -> ExitCode {
    match carry_out(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(task: Task) -> Result<()> {
    match task {
        Task::Compare(arguments) => compare::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Faults(arguments) => faults::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Order => order::run(),
        Task::Package(arguments) => package::run(&arguments),
        Task::Release => release::run(),
        Task::Soak(arguments) => soak::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Tidy => tidy::run(),
        Task::Tools(arguments) => tools::run(&arguments),
        Task::Wan(arguments) => wan::run(&arguments),
    }
}

fn with_causes(error: &Error) -> String {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("\n  because: {cause}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_error_is_told_with_every_cause() {
        let error = Error::msg("no such file").context("cannot read the page").context("tidy failed");
        assert_eq!(
            with_causes(&error),
            "error: tidy failed\n  because: cannot read the page\n  because: no such file"
        );
    }

    #[test]
    fn arguments_after_demo_belong_to_nearside() {
        for line in ["demo --release --state-dir /tmp/x", "demo --release -- --state-dir /tmp/x"] {
            let words = ["cargo xtask"].into_iter().chain(line.split(' '));
            let Task::Demo(demo) = Arguments::parse_from(words).task else { panic!("not a demo") };
            assert_eq!(
                (demo.release, demo.rest),
                (true, vec!["--state-dir".to_owned(), "/tmp/x".to_owned()])
            );
        }
    }
}
