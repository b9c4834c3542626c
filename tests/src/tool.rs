//! Programs that we did not write.

use std::process::{Child, Command, Output};

/// Runs a program; `None`, said loudly, where it is missing.
#[must_use]
pub fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    output(Command::new(program).args(arguments))
}

/// Runs a command to its end; `None`, said loudly, where its program is missing.
#[must_use]
pub fn output(command: &mut Command) -> Option<Output> {
    let output = command.output();
    had(&command.get_program().display().to_string(), output)
}

/// Starts a command; `None`, said loudly, where its program is missing.
#[must_use]
pub fn spawn(command: &mut Command) -> Option<Child> {
    let child = command.spawn();
    had(&command.get_program().display().to_string(), child)
}

/// What became of starting a program; `None`, said loudly, where it is missing.
#[must_use]
pub fn had<T>(program: &str, outcome: std::io::Result<T>) -> Option<T> {
    let missing =
        |error| skip(&format!("{program} cannot be had here ({error}); `cargo xtask tools` installs it"));
    outcome.map_err(missing).ok()
}

/// Says loudly that a test is left out, and why.
pub fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Whether this is root.
#[must_use]
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
