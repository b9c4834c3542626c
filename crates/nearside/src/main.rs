//! The program: arguments, wiring, gates, reload, shutdown and the commands.

mod admin;
mod args;
mod chronicle;
mod client;
mod command;
mod complete;
mod control;
mod explanation;
mod export;
mod file;
mod forecast;
mod gates;
mod handover;
mod machine;
mod make;
mod measured;
mod moment;
mod out;
mod past;
mod pop;
mod question;
mod reload;
mod remains;
mod rewrite;
mod scrape;
mod serve;
mod share;
mod signals;
mod state;
mod status;
mod story;
mod systemd;
mod told;
mod watch;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Requests allocate little, but what they do allocate costs half as much here as in glibc's allocator. Without huge pages, of
/// which one would be held for each small heap of a thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a command comes to.
pub(crate) enum Done {
    /// Fine.
    Fine,
    /// Refused or failed; what is to be said was said.
    Refused,
}

fn main() -> ExitCode {
    match complete::answer() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => {
            drop(error.print());
            return ExitCode::from(2);
        }
    }
    let args = args::Args::parse();
    match command::dispatch(args) {
        Ok(Done::Fine) => ExitCode::SUCCESS,
        Ok(Done::Refused) => ExitCode::from(1),
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::from(1)
        }
    }
}
