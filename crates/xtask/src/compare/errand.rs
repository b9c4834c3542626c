//! What the run inside the emulated machine is told by the one outside, and the table that it brings back: both in the folder
//! that they share.

use super::proxy;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const TOLD: &str = "errand.json";
const TABLE: &str = "table.md";

/// All that cannot be found out inside, where nothing is installed and nothing built.
#[derive(Debug, PartialEq)]
pub(super) struct Errand {
    /// Where cargo puts what it builds.
    pub(super) target: PathBuf,
    /// The programs that are compared, by their names.
    pub(super) programs: Vec<(&'static str, PathBuf)>,
}

impl Errand {
    /// Leaves it in the folder, without the table of the one before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn give(&self, shared: &Path) -> Result<()> {
        drop(fs::remove_file(shared.join(TABLE)));
        let told = json!({ "target": self.target, "programs": self.programs });
        fs::write(shared.join(TOLD), told.to_string()).context("cannot write the errand")
    }

    /// Finds it in the folder.
    ///
    /// # Errors
    /// When there is none, or it names a proxy that is none of ours.
    pub(super) fn take(shared: &Path) -> Result<Self> {
        let told = fs::read_to_string(shared.join(TOLD)).context("there is no errand")?;
        let told: Value = serde_json::from_str(&told).context("the errand is no JSON")?;
        let target = told.get("target").and_then(Value::as_str).context("the errand has no target")?;
        let programs =
            told.get("programs").and_then(Value::as_array).context("the errand has no programs")?;
        let programs = programs.iter().map(program).collect::<Option<Vec<_>>>();
        let programs = programs.context("the errand has an unknown program")?;
        Ok(Self { target: target.into(), programs })
    }
}

fn program(told: &Value) -> Option<(&'static str, PathBuf)> {
    Some((proxy::name(told.get(0)?.as_str()?)?, told.get(1)?.as_str()?.into()))
}

/// Leaves the table in the folder.
///
/// # Errors
/// When it cannot be written.
pub(super) fn bring(shared: &Path, table: &str) -> Result<()> {
    fs::write(shared.join(TABLE), table).context("cannot write the table")
}

/// The table that was brought back.
///
/// # Errors
/// When there is none, as the run inside has failed.
pub(super) fn brought(shared: &Path) -> Result<String> {
    fs::read_to_string(shared.join(TABLE)).context("the run inside the emulated machine has failed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;

    #[test]
    fn an_errand_is_taken_as_it_was_given_and_nothing_is_left_of_the_one_before() {
        let folder = Folder::make("errand").unwrap();
        assert!(Errand::take(folder.path()).is_err());
        bring(folder.path(), "old").unwrap();
        let programs = vec![("nginx", "/sbin/nginx".into()), ("nearside", "/t/release/nearside".into())];
        let errand = Errand { target: "/t".into(), programs };
        errand.give(folder.path()).unwrap();
        assert_eq!(Errand::take(folder.path()).unwrap(), errand);
        assert!(brought(folder.path()).is_err());
    }

    #[test]
    fn a_proxy_that_is_none_of_ours_is_refused() {
        let folder = Folder::make("stranger").unwrap();
        fs::write(folder.path().join(TOLD), r#"{ "target": "/t", "programs": [["squid", "/s"]] }"#).unwrap();
        assert!(Errand::take(folder.path()).is_err());
    }
}
