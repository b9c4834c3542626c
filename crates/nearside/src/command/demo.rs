//! `nearside demo`: the whole product in one command, with sample backends at simulated distances.

mod advice;
mod cast;

use super::run::done;
use crate::args::DemoArgs;
use crate::file::{self, Loaded};
use crate::serve::{Plan, serve};
use crate::{Done, out, pop, state};
use anyhow::{Context, bail};
use cast::Cast;
use nearside_core::Generation;
use nearside_core::place::Place;
use nearside_proxy::dial::Direct;
use nearside_proxy::dial::distant::Distant;
use nearside_telemetry::Format;
use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Starts the sample backends, serves the file, and says what to try.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<Done> {
    nearside_telemetry::init_logging(Format::Auto)?;
    let Some(Loaded { generation, .. }) = file::load_or_tell(&args.file)? else { return Ok(Done::Refused) };
    let folder = folder(args.state_dir.as_deref())?;
    state::make(&folder)?;
    if crate::client::status(&folder)?.is_some() {
        bail!(
            "a demo is running already with the state folder {}; end it first (Ctrl-C there)",
            folder.display()
        );
    }
    let access = folder.join("access.log");
    let sink =
        File::create(&access).with_context(|| format!("cannot write the access log {}", access.display()))?;
    let pop = pop::parse("demo", Some(&args.place))?;
    let round_trips = round_trips(&generation, pop.place.as_ref());
    let cast = Cast::start(&generation)?;
    let advice = advice::Advice {
        program: short(&env::current_exe().context("cannot find this program")?),
        file: args.file.clone(),
        state: short(&folder),
        access: short(&access),
        cast: cast.parts(),
        round_trips: round_trips.clone(),
        place: args.place.clone(),
    };
    let plan = Plan {
        file: args.file.clone(),
        state: folder,
        pop,
        workers: None,
        dial: Arc::new(Distant { round_trips, inner: Arc::new(Direct) }),
        sink: Box::new(sink),
        settled: Some(Box::new(move |live| out::text(&advice.tell(live)))),
        program: None,
        predecessor: None,
    };
    let end = serve(plan)?;
    drop(cast);
    Ok(done(end))
}

/// A folder of its own beside that of a PoP that runs for real, so that the local authority stays the same from one
/// demo to the next.
fn folder(chosen: Option<&Path>) -> anyhow::Result<PathBuf> {
    match chosen {
        Some(_) => state::folder(chosen),
        None => Ok(state::folder(None).unwrap_or_else(|_| env::temp_dir().join("nearside")).join("demo")),
    }
}

/// The round trip to each region: a millisecond for each 100 km, as over light in glass.
fn round_trips(generation: &Generation, from: Option<&Place>) -> HashMap<String, Duration> {
    let from = from.and_then(|place| place.position);
    let each = generation.regions.iter().filter_map(|region| {
        let distance = from?.distance_km(region.place.as_ref()?.position?);
        Some((region.name.to_string(), Duration::try_from_secs_f64(distance / 100.0 / 1000.0).ok()?))
    });
    each.collect()
}

/// The path as one would type it: from here, where it lies below.
fn short(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    let home =
        env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute() && home.parent().is_some());
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(below) = real.strip_prefix(&here) {
        return quoted(&below.display().to_string());
    }
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        // The shell expands the tilde only where nothing has to be quoted.
        Some(below) if is_plain(&below.display().to_string()) => format!("~/{}", below.display()),
        _ => quoted(&path.display().to_string()),
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+,@:".contains(&byte))
}

/// `text` as a word of a shell.
fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_blanks_is_quoted_for_the_shell() {
        assert_eq!(quoted("/tmp/a b/it's"), r"'/tmp/a b/it'\''s'");
        assert_eq!(quoted("target/debug/nearside"), "target/debug/nearside");
    }

    #[test]
    fn distance_is_a_millisecond_for_each_100_km() {
        let text = "version: 1\nregions:\n  frankfurt: { place: { country: DE, lat: 50.11, lon: 8.68 } }\n  \
                    dublin: { place: { country: IE, lat: 53.35, lon: -6.26 } }\n  nowhere: {}\n\
                    routes: [{ host: h.example, backends: [{ url: \"http://127.0.0.1:1\", region: dublin }] }]\n\
                    listeners: [{ bind: \"127.0.0.1:2\" }]\n";
        let (generation, ..) = nearside_config::load(text).unwrap();
        let from = pop::parse("demo", Some("DE,50.11,8.68")).unwrap().place;
        let trips = round_trips(&generation, from.as_ref());
        assert_eq!(trips.len(), 2);
        assert_eq!(trips["frankfurt"], Duration::ZERO);
        assert!(trips["dublin"].as_millis().abs_diff(10) <= 1, "{trips:?}");
    }
}
