//! Programs that we did not write.

use std::fs;
use std::path::PathBuf;
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

/// A package of PyPI with a folder of its own.
pub struct Fetched {
    folder: PathBuf,
}

/// A package of PyPI, fetched once for all runs; `None`, said loudly, where it cannot be had.
#[must_use]
pub fn fetched(package: &str) -> Option<Fetched> {
    let program = crate::program();
    let target = program.parent().and_then(std::path::Path::parent).expect("it stands in target/*");
    let name = package.split(['<', '=', '>']).next().unwrap_or(package);
    let folder = target.join("tmp").join(name);
    fs::create_dir_all(&folder).expect("own folder");
    let lock = fs::File::create(folder.join("lock")).expect("own folder");
    lock.lock().expect("locks are there");
    if !folder.join("whole").exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]);
        let output = output(pip.arg(&folder).arg(package))?;
        if !output.status.success() {
            skip(&format!("{package} cannot be had here: {}", String::from_utf8_lossy(&output.stderr)));
            return None;
        }
        fs::write(folder.join("whole"), "").expect("own folder");
    }
    Some(Fetched { folder })
}

impl Fetched {
    /// A program that it brought.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("bin").join(name));
        command.env("PYTHONPATH", &self.folder);
        command
    }

    /// A program at this path among what it brought.
    #[must_use]
    pub fn file(&self, path: &str) -> Command {
        Command::new(self.folder.join(path))
    }

    /// A Python that finds it.
    #[must_use]
    pub fn python(&self) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.folder);
        command
    }
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
