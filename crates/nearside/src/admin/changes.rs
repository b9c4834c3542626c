//! Changes: what the texts of two generations differ in, line by line.

use anyhow::{Context, bail};
use nearside_telemetry::journal::GENERATIONS;
use serde::Deserialize;
use similar::TextDiff;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How long it is looked for the shortest way from one to the other.
const PATIENCE: Duration = Duration::from_millis(500);
/// Lines around what has changed.
const AROUND: usize = 3;

/// Two texts, by the names under which the journal says that they are kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    from: String,
    to: String,
}

/// The difference that `query` asks for, out of the state folder.
///
/// # Errors
/// The query names none, or one of them is not kept any more.
pub(super) fn between(state: &Path, query: &str) -> anyhow::Result<String> {
    let pair: Pair = serde_urlencoded::from_str(query).context("ask with from and to")?;
    let (before, after) = (kept(state, &pair.from)?, kept(state, &pair.to)?);
    let difference = TextDiff::configure().timeout(PATIENCE).diff_lines(&before, &after);
    Ok(difference.unified_diff().context_radius(AROUND).to_string())
}

fn kept(state: &Path, name: &str) -> anyhow::Result<String> {
    let is_name = name.strip_suffix(".yaml").is_some_and(|hash| {
        hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    });
    if !is_name {
        bail!("{name:?} names no kept text");
    }
    fs::read_to_string(state.join(GENERATIONS).join(name))
        .with_context(|| format!("the text {name} is not kept any more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_told_and_no_other_file_is() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join(GENERATIONS);
        fs::create_dir(&folder).unwrap();
        let [one, two] = ["0", "a"].map(|digit| format!("{}.yaml", digit.repeat(32)));
        fs::write(folder.join(&one), "a: 1\nb: 2\n").unwrap();
        fs::write(folder.join(&two), "a: 1\nb: 3\n").unwrap();
        fs::write(state.path().join("fleet.key"), "secret").unwrap();
        let told = between(state.path(), &format!("from={one}&to={two}")).unwrap();
        assert_eq!(told, "@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n");
        for name in
            ["../fleet.key", "%2e%2e%2ffleet.key", "", &"f".repeat(32), &format!("{}.yaml", "f".repeat(32))]
        {
            assert!(between(state.path(), &format!("from={name}&to={two}")).is_err(), "{name}");
        }
    }
}
