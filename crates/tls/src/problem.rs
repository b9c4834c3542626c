//! A problem with a file, for the report of what is wrong with `routes.yaml`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with a file that `routes.yaml` names, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where `routes.yaml` names it: `tls.certificates[0].key`.
    pub key_path: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong, as a lower-case phrase that names the file.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// The same shape, for what does not stop a load.
pub type Warning = Problem;

impl Problem {
    /// `what` is wrong with the file at `path`.
    pub(crate) fn new(key_path: &str, path: &Path, what: &str, hint: &str) -> Self {
        let message = format!("{} {what}", path.display());
        Self { key_path: key_path.to_owned(), path: path.to_owned(), message, hint: hint.to_owned() }
    }

    /// A problem of the file itself, where no path belongs into the message.
    pub(crate) fn without_file(key_path: &str, message: &str, hint: &str) -> Self {
        Self {
            key_path: key_path.to_owned(),
            path: PathBuf::new(),
            message: message.to_owned(),
            hint: hint.to_owned(),
        }
    }

    /// The file at `path` cannot be read because of `cause`.
    pub(crate) fn unreadable(key_path: &str, path: &Path, cause: &io::Error) -> Self {
        let (what, hint) = match cause.kind() {
            io::ErrorKind::NotFound => ("does not exist", "check the path; it is relative to routes.yaml"),
            io::ErrorKind::PermissionDenied => {
                ("cannot be read: permission denied", "let nearside's user read it, for example by its group")
            }
            io::ErrorKind::IsADirectory => {
                ("is a directory", "name a file, or a pattern such as certs/*.pem")
            }
            io::ErrorKind::FileTooLarge => ("is larger than 1 MiB", "name a PEM file"),
            _ => return Self::new(key_path, path, &format!("cannot be read: {cause}"), "check the file"),
        };
        Self::new(key_path, path, what, hint)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.key_path, self.message, self.hint)
    }
}

/// What a load has found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl Findings {
    /// The value, or `None` and the problem noted; what concerns several alike is noted once.
    pub(crate) fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        let note = |problem| {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        };
        result.map_err(note).ok()
    }

    /// `value` and the warnings, or the problems where there are any.
    pub(crate) fn conclude<T>(self, value: T) -> Result<(T, Vec<Warning>), Vec<Problem>> {
        if self.problems.is_empty() { Ok((value, self.warnings)) } else { Err(self.problems) }
    }
}
