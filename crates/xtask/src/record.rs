//! The record of a run: every account as it came, and the table for the documentation.

use crate::peers;
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const END: &str = "<!-- The table ends. -->";

/// A file of lines with the table at its end.
pub(crate) struct Record {
    file: File,
    path: PathBuf,
    heading: String,
    begin: String,
}

impl Record {
    /// A new record of `task` in `folder`; its first line says what was run with which versions.
    pub(crate) fn open(
        task: &str,
        folder: &Path,
        root: &Path,
        proxies: &[(&'static str, PathBuf)],
    ) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let commit =
            process::output(Command::new("git").current_dir(root).args(["describe", "--always", "--dirty"]));
        let commit = commit.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
        let path = folder.join(format!("{commit}.jsonl"));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let versions = proxies.iter().map(|(name, program)| peers::version(name, program));
        let versions = versions.collect::<Vec<_>>().join("; ");
        let (command, machine) = (command(), machine());
        let heading = format!("`{command}` at commit `{commit}`, {machine}: {versions}.");
        let begin = begin(task);
        let mut record = Self { file, path, heading, begin };
        let first = serde_json::json!({ "command": command, "commit": commit, "machine": machine, "versions": versions });
        record.note(&first.to_string())?;
        Ok(record)
    }

    /// One more line.
    pub(crate) fn note(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Shows and notes the table, and puts it into a page, if one is named, in the place of the one before.
    pub(crate) fn conclude(&mut self, table: &str, page: Option<&Path>) -> Result<()> {
        println!("\n{table}\nrecord: {}", self.path.display());
        self.note(table)?;
        page.map_or(Ok(()), |page| self.publish(page, table))
    }

    fn publish(&self, page: &Path, table: &str) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
        let fresh = replaced(&text, &self.begin, &format!("{}\n\n{table}", self.heading))
            .with_context(|| format!("{} lacks the marks `{}` and `{END}`", page.display(), self.begin))?;
        fs::write(page, fresh).with_context(|| format!("cannot write {}", page.display()))
    }
}

fn begin(task: &str) -> String {
    format!("<!-- The table from here on is written by `cargo xtask {task} --record`. -->")
}

fn replaced(page: &str, begin: &str, table: &str) -> Result<String> {
    let parts = page.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else { bail!("no place for a table") };
    Ok(format!("{before}{begin}\n\n{table}\n{END}{after}"))
}

/// The command as it was typed.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo xtask {}", arguments.join(" "))
}

/// What there is of a machine, and what else it does: times mean little on a busy one.
fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{processors} processors, load {load} at the beginning")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_one_before() {
        let begin = begin("faults");
        let page = format!("# Faults\n\n{begin}\n\nold\n{END}\n\nMore.\n");
        let fresh = replaced(&page, &begin, "new").unwrap();
        assert_eq!(fresh, format!("# Faults\n\n{begin}\n\nnew\n{END}\n\nMore.\n"));
        assert_eq!(replaced(&fresh, &begin, "newer").unwrap(), fresh.replace("\nnew\n", "\nnewer\n"));
        assert!(replaced("# Faults\n", &begin, "new").is_err());
    }
}
