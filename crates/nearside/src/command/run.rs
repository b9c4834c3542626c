//! `nearside run`: serves.

use crate::args::RunArgs;
use crate::handover::{Met, Predecessor, Program};
use crate::serve::{End, Plan, serve};
use crate::{Done, out, pop, state};
use nearside_proxy::dial::Direct;
use nearside_telemetry::Format;
use std::sync::Arc;

/// Serves until a signal ends it.
pub(crate) fn run(args: RunArgs) -> anyhow::Result<Done> {
    let program = Program::own()?;
    let (predecessor, met) = args.take_over.then(Predecessor::meet).transpose()?.unzip();
    let predecessor = predecessor.map(Arc::new);
    let end = begin(args, program, predecessor.clone().zip(met));
    if let Some(predecessor) = predecessor {
        // It is told too, and so the person who asked for the upgrade.
        match &end {
            Err(error) => predecessor.fail(&format!("{error:#}")),
            Ok(End::Refused(why)) => predecessor.fail(why),
            Ok(End::Orderly | End::Cut) => {}
        }
    }
    Ok(done(end?))
}

fn begin(
    args: RunArgs,
    program: Program,
    predecessor: Option<(Arc<Predecessor>, Met)>,
) -> anyhow::Result<End> {
    nearside_telemetry::init_logging(Format::Auto)?;
    let plan = Plan {
        state: state::folder(args.state.state_dir.as_deref())?,
        pop: pop::parse(&args.pop.pop, args.pop.place.as_deref())?,
        file: args.file,
        workers: args.threads,
        dial: Arc::new(Direct),
        sink: Box::new(std::io::stdout()),
        settled: None,
        program: Some(program),
        predecessor,
    };
    serve(plan)
}

/// What the end of serving comes to.
pub(super) fn done(end: End) -> Done {
    match end {
        End::Orderly => Done::Fine,
        End::Refused(why) => {
            out::error(&why);
            Done::Refused
        }
        End::Cut => Done::Refused,
    }
}
