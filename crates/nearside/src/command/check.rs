//! `nearside check`: everything that is wrong with a file, before it serves.

use crate::args::CheckArgs;
use crate::gates::{self, Around};
use crate::{Done, file, out};
use anyhow::Context;
use nearside_tls::Clock;

/// Prints every error and warning; fails when `run` would refuse the file.
pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<Done> {
    let passed = match file::load(&args.file)? {
        Ok(loaded) => {
            // The file is judged, and no PoP's state: keys and authority that it may need are made and forgotten.
            let state = tempfile::tempdir().context("cannot make a temporary folder")?;
            let now = time::OffsetDateTime::now_utc().unix_timestamp();
            let around = Around { state: state.path(), clock: &Clock::system(), now, previous: None };
            gates::pass(loaded, &around)
        }
        Err(report) => Err(report),
    };
    let (report, done) = match passed {
        Ok(passed) => (passed.warnings, Done::Fine),
        Err(report) => (report, Done::Refused),
    };
    if args.json {
        out::json(&report.to_json())
    } else {
        out::text(&report.to_string())
    }
    Ok(done)
}
