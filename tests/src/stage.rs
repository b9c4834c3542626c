//! A stage: an edge before two backends, the one in Virginia as the standby of the one in Frankfurt.

use crate::edge::Setting;
use crate::{Edge, Process, QUICK};
use std::ffi::OsString;

/// The edge and its backends.
pub struct Stage {
    /// The edge.
    pub edge: Edge,
    /// The backend `fra-a`.
    pub frankfurt: Process,
    /// The backend `iad-a`, at priority 2.
    pub virginia: Process,
}

impl Stage {
    /// A stage whose file says nothing else.
    pub async fn new() -> Self {
        Self::by(Setting::new(), &[crate::program().into()], "").await
    }

    /// The same in `setting`, by these words as in [`Setting::run_by`], with `more` in the file.
    pub async fn by(setting: Setting, words: &[OsString], more: &str) -> Self {
        let frankfurt = Process::start(setting.folder(), "fra-a", "frankfurt").await;
        let virginia = Process::start(setting.folder(), "iad-a", "virginia").await;
        let text = format!(
            "{QUICK}pools:\n  web:\n    backends:\n\
             \x20     - {{ id: fra-a, url: \"http://{}\", region: frankfurt }}\n\
             \x20     - {{ id: iad-a, url: \"http://{}\", region: virginia, priority: 2 }}\n\
             routes:\n  - {{ host: www.example.com, pool: web }}\n{more}",
            frankfurt.address, virginia.address
        );
        Self { edge: setting.run_by(words, &text).await, frankfurt, virginia }
    }
}
