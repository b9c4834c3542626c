//! `nearside completions`: the script by which a shell completes.

use crate::args::CompletionsArgs;
use crate::{Done, complete, out};

/// Prints it.
pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<Done> {
    out::text(&complete::script(args.shell)?);
    Ok(Done::Fine)
}
