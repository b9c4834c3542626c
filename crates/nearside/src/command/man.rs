//! `nearside man`: the manual pages, made of what the command line knows of itself.

use crate::Done;
use crate::args::{Args, ManArgs};
use anyhow::Context;
use clap::CommandFactory;
use std::fs;

/// Writes a page for the program and one for each command.
pub(crate) fn run(args: &ManArgs) -> anyhow::Result<Done> {
    let name = args.folder.display();
    fs::create_dir_all(&args.folder).with_context(|| format!("cannot make {name}"))?;
    clap_mangen::generate_to(Args::command(), &args.folder)
        .with_context(|| format!("cannot write to {name}"))?;
    Ok(Done::Fine)
}
