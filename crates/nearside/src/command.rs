//! The commands.

mod check;
mod completions;
mod demo;
mod drain;
mod explain;
mod geo;
mod journal;
mod man;
mod run;
mod sample;
mod simulate;
mod status;
mod top;
mod upgrade;

use crate::Done;
use crate::args::{Args, Command};

/// Does what the arguments say.
///
/// # Errors
/// What is to be said to the person who asked.
pub(crate) fn dispatch(args: Args) -> anyhow::Result<Done> {
    match args.command {
        Command::Run(args) => run::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Geo(args) => geo::run(&args),
        Command::Drain(args) => drain::drain(&args),
        Command::Undrain(args) => drain::undrain(&args),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Sample(args) => sample::run(args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Check(args) => check::run(&args),
    }
}
