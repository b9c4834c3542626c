//! `nearside upgrade`: replaces the running process by the program on disk.

use crate::args::UpgradeArgs;
use crate::{Done, client, out, state};
use anyhow::bail;
use indicatif::ProgressBar;
use serde_json::Value;
use std::time::Duration;

/// How long the change may take: longer than the running process waits for the new one.
const PATIENCE: Duration = Duration::from_secs(50);

/// Asks the running process to hand over, and tells who serves now, or why nothing has changed.
pub(crate) fn run(args: &UpgradeArgs) -> anyhow::Result<Done> {
    let folder = state::folder(args.state.state_dir.as_deref())?;
    let progress = ProgressBar::new_spinner().with_message("waiting until the new process is ready");
    progress.enable_steady_tick(Duration::from_millis(100));
    let answer = client::post(&folder, "/upgrade", PATIENCE);
    progress.finish_and_clear();
    let Some((status, body)) = answer? else {
        bail!(client::nobody(&folder));
    };
    if status != 200 {
        out::error(&format!("not upgraded: {}\nThe process that ran before goes on as it was.", body.trim()));
        return Ok(Done::Refused);
    }
    let told = &serde_json::from_str::<Value>(&body)?;
    if args.json {
        out::json(told);
    } else {
        out::text(&format!(
            "process {} serves now (nearside {}, generation {}); process {} ends what it has in flight, within {} s",
            told["pid"],
            told["version"].as_str().unwrap_or("?"),
            told["generation"].as_str().unwrap_or("?"),
            told["before"],
            told["deadline_s"],
        ));
    }
    Ok(Done::Fine)
}
