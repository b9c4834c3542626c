//! One look at the running PoP: the pages of its admin interface, read.

use super::scrape::{self, Routes};
use crate::client;
use crate::past::Sample;
use crate::told::list;
use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a stretch of the history is, about: before its end there is no news of it.
const STRETCH: Duration = Duration::from_secs(10);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// Since the first look.
    pub(super) at: Duration,
    /// `/status`.
    pub(super) status: Value,
    /// What routes have had so far, of `/metrics`.
    pub(super) routes: Routes,
    /// The latest entries of `/journal`, the oldest first.
    pub(super) journal: Vec<Value>,
    /// `/history`, where there may be news of it.
    pub(super) history: Option<Vec<Sample>>,
}

/// Who looks.
#[derive(Debug)]
pub(super) struct Asker {
    folder: PathBuf,
    since: Instant,
    remembered: Option<Instant>,
}

#[derive(Deserialize)]
struct Told {
    samples: Vec<Sample>,
}

impl Asker {
    /// Looks at the PoP with this state folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, since: Instant::now(), remembered: None }
    }

    /// Looks; `None` where nobody runs.
    ///
    /// # Errors
    /// The PoP cannot be asked, or answers nonsense.
    pub(super) fn look(&mut self) -> anyhow::Result<Option<Look>> {
        let Some(status) = client::status(&self.folder)? else { return Ok(None) };
        let Some(metrics) = client::get(&self.folder, "/metrics")? else { return Ok(None) };
        let at = self.since.elapsed();
        let Some(journal) = client::get(&self.folder, "/journal")? else { return Ok(None) };
        let journal: Value = serde_json::from_str(&journal).context("the journal is no JSON")?;
        let journal = list(&journal, "entries").cloned().collect();
        let mut history = None;
        if self.remembered.is_none_or(|before| before.elapsed() >= STRETCH) {
            let Some(told) = client::get(&self.folder, "/history")? else { return Ok(None) };
            let told: Told = serde_json::from_str(&told).context("the history is no JSON")?;
            (self.remembered, history) = (Some(Instant::now()), Some(told.samples));
        }
        Ok(Some(Look { at, status, routes: scrape::routes(&metrics), journal, history }))
    }
}
