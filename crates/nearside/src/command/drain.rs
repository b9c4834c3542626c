//! `nearside drain` and `undrain`: the mark in the file, and the wait until it holds.

mod progress;

use crate::args::{DrainArgs, StateArgs, UndrainArgs, WaitArgs};
use crate::remains::{self, Objections};
use crate::{Done, client, file, out, rewrite, state};
use anyhow::{Context, bail};
use nearside_config::edit::{self, EditError, Mark, Target};
use progress::Progress;
use serde_json::Value;
use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the running PoP may take to see the new file and build from it.
const SEEN: Duration = Duration::from_secs(10);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(100);

/// Marks a region or a backend, and waits until nothing goes there any more.
pub(crate) fn drain(args: &DrainArgs) -> anyhow::Result<Done> {
    let (target, writer) = (Target::parse(&args.target), user());
    let mark = Mark {
        reason: &args.reason,
        by: args.by.as_deref(),
        writer: writer.as_deref(),
        until: args.until.as_deref(),
        grace: args.grace,
    };
    let change = Change { file: &args.file, name: &args.target, marked: true, forced: args.force };
    change.make(|text| edit::drain(text, target, mark), &args.wait, &args.state)
}

/// Takes the mark off.
pub(crate) fn undrain(args: &UndrainArgs) -> anyhow::Result<Done> {
    let target = Target::parse(&args.target);
    let change = Change { file: &args.file, name: &args.target, marked: false, forced: false };
    change.make(|text| edit::undrain(text, target), &args.wait, &args.state)
}

/// Who calls: the person behind sudo, where there is one.
fn user() -> Option<String> {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter();
    names.filter_map(|name| env::var(name).ok()).find(|name| !name.trim().is_empty())
}

/// One change of a mark.
struct Change<'a> {
    file: &'a Path,
    name: &'a str,
    marked: bool,
    /// Whether it is made whatever speaks against it.
    forced: bool,
}

impl Change<'_> {
    fn make(
        &self,
        edit: impl FnOnce(&str) -> Result<String, EditError>,
        wait: &WaitArgs,
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
        if self.marked && !self.may_be(&remains::objections(&old, &new, before.as_ref())) {
            return Ok(Done::Refused);
        }
        if !self.write(&old, &new) {
            return Ok(Done::Refused);
        }
        match before {
            _ if wait.no_wait => Ok(Done::Fine),
            None => {
                out::text(
                    "No nearside serves this file here; where one does, the change holds after its reload.",
                );
                Ok(Done::Fine)
            }
            Some(before) => self.wait(&folder, &before, wait.timeout),
        }
    }

    /// Says what speaks against the mark; whether it is made.
    fn may_be(&self, objections: &Objections) -> bool {
        for doubt in &objections.doubtful {
            out::error(&format!("warning: {doubt}"));
        }
        if objections.grave.is_empty() || self.forced {
            for objection in &objections.grave {
                out::error(&format!("warning: {objection}"));
            }
            return true;
        }
        let (name, basis) = (self.name, &objections.basis);
        let why = objections.grave.join("\n  ");
        out::error(&format!(
            "{name} is not drained ({basis}):\n  {why}\n`--force` drains it anyway; `nearside simulate --drain {name}` shows the whole"
        ));
        false
    }

    /// Puts the new text into the file; where that cannot be, says how it gets there.
    fn write(&self, old: &str, new: &str) -> bool {
        let file = self.file.display();
        if old == new {
            out::text(&format!("{file} says so already"));
        } else if let Err(cause) = rewrite::replace(self.file, old, new) {
            out::error(&format!("{file} cannot be changed: {cause}. This is the change:\n"));
            out::text(&rewrite::patch(&file.to_string(), old, new));
            out::error(&format!(
                "\nApply it where the file comes from: save it as mark.patch, then\n  patch {file} mark.patch"
            ));
            return false;
        } else {
            let verb = if self.marked { "marked drained" } else { "no longer marked" };
            out::text(&format!("{file}: {} is {verb}", self.name));
        }
        true
    }

    /// Waits until the running PoP has the mark, and then until nothing is in flight where it is.
    fn wait(&self, folder: &Path, before: &Value, longest: Option<Duration>) -> anyhow::Result<Done> {
        let mut progress = Progress::begin();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let followed = runtime.block_on(async {
            let given_up = async {
                match longest {
                    Some(longest) => sleep(longest).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // First, so that Ctrl-C is heard before anything is shown.
                biased;
                _ = tokio::signal::ctrl_c() => Ok(Err("interrupted")),
                () = given_up => Ok(Err("the time is over")),
                followed = self.follow(folder, before, &mut progress) => followed.map(Ok),
            }
        });
        progress.end();
        match followed? {
            Ok(said) => {
                out::text(&said);
                Ok(Done::Fine)
            }
            Err(why) => {
                let stays = if self.marked { "the mark stays" } else { "the mark stays off" };
                out::error(&format!(
                    "{why}: {stays} in {}; `nearside status` shows the rest",
                    self.file.display()
                ));
                Ok(Done::Refused)
            }
        }
    }

    async fn follow(&self, folder: &Path, before: &Value, progress: &mut Progress) -> anyhow::Result<String> {
        let began = Instant::now();
        loop {
            let status = &client::status(folder)?.context("the running nearside has ended meanwhile")?;
            let stamp = status["generation"].as_str().unwrap_or("?");
            match seen(status, self.name) {
                Seen::Gone => bail!("the running generation has no {}", self.name),
                Seen::Active if !self.marked => {
                    return Ok(format!("generation {stamp}: requests go to {} again", self.name));
                }
                Seen::Drained if self.marked => {
                    return Ok(format!("generation {stamp}: nothing goes to {} any more", self.name));
                }
                Seen::Draining(left) if self.marked => progress.show(self.name, left),
                Seen::Active | Seen::Drained | Seen::Draining(_) => {
                    is_taken_over(status, before, began.elapsed())?;
                }
            }
            sleep(LOOK).await;
        }
    }
}

/// That the running PoP may still take the change over.
fn is_taken_over(status: &Value, before: &Value, waited: Duration) -> anyhow::Result<()> {
    let reload = &status["last_reload"];
    if reload["outcome"] == "refused" && *reload != before["last_reload"] {
        let message = reload["message"].as_str().unwrap_or_default();
        bail!("the running nearside refuses the file, and goes on as before:\n{message}");
    }
    if waited > SEEN {
        bail!("the running nearside has not taken the file over; `nearside status` may say why");
    }
    Ok(())
}

/// The status of the PoP with this state folder, if it serves `file`.
fn running(folder: &Path, file: &Path) -> Option<Value> {
    let status = client::status(folder).ok().flatten()?;
    let served = fs::canonicalize(status.get("file")?.as_str()?).ok()?;
    (served == fs::canonicalize(file).ok()?).then_some(status)
}

/// How a region or a backend stands in a status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Gone,
    Active,
    Draining(Left),
    Drained,
}

/// What is left until a mark holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Left {
    in_flight: u64,
    grace_s: Option<u64>,
}

fn seen(status: &Value, name: &str) -> Seen {
    let find = |list: &str, key: &str| {
        let entries = status[list].as_array().into_iter().flatten();
        entries.into_iter().find(|entry| entry[key] == name)
    };
    if let Some(drain) = find("drains", "target") {
        let left = Left {
            in_flight: drain["in_flight"].as_u64().unwrap_or(0),
            grace_s: drain["grace_left_s"].as_u64(),
        };
        return if drain["state"] == "drained" { Seen::Drained } else { Seen::Draining(left) };
    }
    match find("regions", "name").or_else(|| find("backends", "key")) {
        Some(_) => Seen::Active,
        None => Seen::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn regions_and_backends_are_found_by_their_names() {
        let status = json!({
            "regions": [{ "name": "a" }, { "name": "b" }, { "name": "c" }],
            "backends": [{ "key": "web/one" }, { "key": "web/two" }],
            "drains": [
                { "target": "b", "state": "draining", "in_flight": 2, "grace_left_s": 7 },
                { "target": "c", "state": "drained", "in_flight": 0, "grace_left_s": 0 },
                { "target": "web/two", "state": "draining", "in_flight": 4, "grace_left_s": null },
            ],
        });
        let check = |name: &str, expected: Seen| assert_eq!(seen(&status, name), expected, "{name}");
        check("a", Seen::Active);
        check("b", Seen::Draining(Left { in_flight: 2, grace_s: Some(7) }));
        check("c", Seen::Drained);
        check("web/one", Seen::Active);
        check("web/two", Seen::Draining(Left { in_flight: 4, grace_s: None }));
        check("web/four", Seen::Gone);
    }

    #[test]
    fn a_refused_reload_ends_the_wait_only_if_it_is_a_new_one() {
        let status = json!({ "last_reload": { "outcome": "refused", "at": "2", "message": "unknown key" } });
        let earlier = json!({ "last_reload": { "outcome": "refused", "at": "1" } });
        let error = is_taken_over(&status, &earlier, Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("unknown key"), "{error}");
        assert!(is_taken_over(&status, &status, Duration::ZERO).is_ok());
        assert!(is_taken_over(&status, &status, SEEN * 2).is_err());
    }
}
