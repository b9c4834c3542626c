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

/// Whether this is root.
#[must_use]
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
