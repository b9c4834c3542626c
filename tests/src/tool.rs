//! Programs that we did not write.

use std::process::{Command, Output};

/// Runs a program; `None`, said loudly, where it is missing.
#[must_use]
pub fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: {program} cannot be had here ({error}); `cargo xtask tools` installs it");
            None
        }
    }
}
