//! `nearside drain` and `undrain`: the mark in the file, and the wait until it holds.

use crate::args::{DrainArgs, StateArgs, UndrainArgs};
use crate::{Done, client, file, out, rewrite, state};
use anyhow::{Context, bail};
use nearside_config::edit::{self, EditError, Target};
use serde_json::Value;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the running PoP may take to see the new file and build from it.
const SEEN: Duration = Duration::from_secs(10);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(100);

/// Marks a region or a backend, and waits until nothing goes there any more.
pub(crate) fn drain(args: &DrainArgs) -> anyhow::Result<Done> {
    let target = Target::parse(&args.target);
    let change = Change { file: &args.file, name: &args.target, marked: true };
    change.make(|text| edit::drain(text, target, &args.reason), &args.state)
}

/// Takes the mark off.
pub(crate) fn undrain(args: &UndrainArgs) -> anyhow::Result<Done> {
    let target = Target::parse(&args.target);
    let change = Change { file: &args.file, name: &args.target, marked: false };
    change.make(|text| edit::undrain(text, target), &args.state)
}

/// One change of a mark.
struct Change<'a> {
    file: &'a Path,
    name: &'a str,
    marked: bool,
}

impl Change<'_> {
    fn make(
        &self,
        edit: impl FnOnce(&str) -> Result<String, EditError>,
        place: &StateArgs,
    ) -> anyhow::Result<Done> {
        let old = file::text(self.file)?;
        let new = match edit(&old) {
            Ok(new) => new,
            Err(EditError::File(report)) => {
                let report = report.named(&self.file.display().to_string());
                out::error(&format!("{report}\nThe file is not changed: it has to be right first."));
                return Ok(Done::Refused);
            }
            Err(error) => bail!("{error}"),
        };
        // The PoP is asked before the change, so that its answer to it is told from earlier ones.
        let folder = state::folder(place.state_dir.as_deref())?;
        let before = running(&folder, self.file);
        if old == new {
            out::text(&format!("{} says so already", self.file.display()));
        } else if let Err(cause) = rewrite::replace(self.file, &old, &new) {
            out::error(&format!("{} cannot be changed: {cause}. This is the change:\n", self.file.display()));
            out::text(&rewrite::patch(&self.file.display().to_string(), &old, &new));
            out::error(&format!(
                "\nApply it where the file comes from: save it as mark.patch, then\n  patch {} mark.patch",
                self.file.display()
            ));
            return Ok(Done::Refused);
        } else {
            let verb = if self.marked { "marked drained" } else { "no longer marked" };
            out::text(&format!("{}: {} is {verb}", self.file.display(), self.name));
        }
        match before {
            None => {
                out::text(
                    "No nearside serves this file here; where one does, the change holds after its reload.",
                );
                Ok(Done::Fine)
            }
            Some(before) => self.wait(&folder, &before),
        }
    }

    /// Waits until the running PoP has the mark, and then until nothing is in flight where it is.
    fn wait(&self, folder: &Path, before: &Value) -> anyhow::Result<Done> {
        let began = Instant::now();
        loop {
            let status = client::status(folder)?.context("the running nearside has ended meanwhile")?;
            match seen(&status, self.name) {
                Seen::Gone => bail!("the running generation has no {}", self.name),
                Seen::Active if !self.marked => {
                    conclude(&format!("generation {}: requests go to {} again", stamp(&status), self.name));
                    return Ok(Done::Fine);
                }
                Seen::Drained if self.marked => {
                    conclude(&format!(
                        "generation {}: nothing goes to {} any more",
                        stamp(&status),
                        self.name
                    ));
                    return Ok(Done::Fine);
                }
                Seen::Draining(in_flight) if self.marked => {
                    progress(&format!("{} is draining: {in_flight} in flight", self.name));
                }
                Seen::Active | Seen::Drained | Seen::Draining(_) => {
                    let reload = status.get("last_reload").unwrap_or(&Value::Null);
                    if reload.get("outcome") == Some(&"refused".into())
                        && Some(reload) != before.get("last_reload")
                    {
                        let message = reload.get("message").and_then(Value::as_str).unwrap_or_default();
                        bail!("the running nearside refuses the file, and goes on as before:\n{message}");
                    }
                    if began.elapsed() > SEEN {
                        bail!(
                            "the running nearside has not taken the file over; `nearside status` may say why"
                        );
                    }
                }
            }
            sleep(LOOK);
        }
    }
}

/// The status of the PoP with this state folder, if it serves `file`.
fn running(folder: &Path, file: &Path) -> Option<Value> {
    let status = client::status(folder).ok().flatten()?;
    let served = fs::canonicalize(status.get("file")?.as_str()?).ok()?;
    (served == fs::canonicalize(file).ok()?).then_some(status)
}

/// How a region or a backend stands in a status.
enum Seen {
    Gone,
    Active,
    Draining(u64),
    Drained,
}

fn seen(status: &Value, name: &str) -> Seen {
    let find = |list: &str, key: &str| {
        let entries = status[list].as_array().into_iter().flatten();
        entries.into_iter().find(|entry| entry[key] == name)
    };
    let in_flight = |entry: &Value| entry["in_flight"].as_u64().unwrap_or(0);
    if let Some(region) = find("regions", "name") {
        return match region["state"].as_str() {
            Some("drained") => Seen::Drained,
            Some("draining") => Seen::Draining(in_flight(region)),
            _ => Seen::Active,
        };
    }
    match find("backends", "key") {
        None => Seen::Gone,
        Some(backend) if backend["drain"].is_null() => Seen::Active,
        Some(backend) if in_flight(backend) > 0 => Seen::Draining(in_flight(backend)),
        Some(_) => Seen::Drained,
    }
}

fn stamp(status: &Value) -> &str {
    status["generation"].as_str().unwrap_or("?")
}

/// Writes a line over the one before, on a terminal only.
fn progress(text: &str) {
    let mut terminal = std::io::stdout();
    if terminal.is_terminal() {
        // Clears what was longer before. A terminal that is gone needs no progress.
        drop(write!(terminal, "\r\x1b[K{text}").and_then(|()| terminal.flush()));
    }
}

/// Writes the last line.
fn conclude(text: &str) {
    progress("");
    out::text(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(name: &str, expected: &str) {
        let status = json!({
            "regions": [
                { "name": "a", "state": "active", "in_flight": 3 },
                { "name": "b", "state": "draining", "in_flight": 2 },
                { "name": "c", "state": "drained", "in_flight": 0 },
            ],
            "backends": [
                { "key": "web/one", "drain": null, "in_flight": 1 },
                { "key": "web/two", "drain": "disk", "in_flight": 4 },
                { "key": "web/three", "drain": "disk", "in_flight": 0 },
            ],
        });
        let told = match seen(&status, name) {
            Seen::Gone => "gone".to_owned(),
            Seen::Active => "active".to_owned(),
            Seen::Draining(count) => format!("draining {count}"),
            Seen::Drained => "drained".to_owned(),
        };
        assert_eq!(told, expected, "{name}");
    }

    #[test]
    fn regions_and_backends_are_found_by_their_names() {
        check("a", "active");
        check("b", "draining 2");
        check("c", "drained");
        check("web/one", "active");
        check("web/two", "draining 4");
        check("web/three", "drained");
        check("web/four", "gone");
    }
}
