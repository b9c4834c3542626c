//! `nearside run`: serves.

use crate::args::RunArgs;
use crate::serve::{End, Plan, serve};
use crate::{Done, pop, state};
use nearside_proxy::dial::Direct;
use nearside_telemetry::Format;
use std::sync::Arc;

/// Serves until a signal ends it.
pub(crate) fn run(args: RunArgs) -> anyhow::Result<Done> {
    nearside_telemetry::init_logging(Format::Auto)?;
    let plan = Plan {
        state: state::folder(args.state.state_dir.as_deref())?,
        pop: pop::parse(&args.pop.pop, args.pop.place.as_deref())?,
        file: args.file,
        workers: args.threads,
        dial: Arc::new(Direct),
        sink: Box::new(std::io::stdout()),
        settled: None,
    };
    done(serve(plan)?)
}

/// What the end of serving comes to.
pub(super) fn done(end: End) -> anyhow::Result<Done> {
    Ok(match end {
        End::Orderly => Done::Fine,
        End::Refused | End::Cut => Done::Refused,
    })
}
