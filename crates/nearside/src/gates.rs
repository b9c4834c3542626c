//! The gates: what is wrong with a file that only the machine, the clock or a calculation can tell.
//!
//! Whatever they find joins the report of `config`, under the key that it concerns. `run`, `check` and every reload
//! go through them.

mod bounds;

use crate::export;
use crate::file::Loaded;
use nearside_config::{Finding, Report, Rule, Severity, Source};
use nearside_core::Generation;
use nearside_core::generation::{Drain, Pool};
use nearside_geo::{Error as GeoError, Spec, Tables};
use nearside_proxy::claims::{Beliefs, SEAL};
use nearside_tls::{ClientTable, Clock, Homes, Keys, Pass, Problem, Table, Wanted};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

const CERTIFICATE: &Rule = &Rule {
    id: "gate.certificate",
    severity: Severity::Error,
    about: "Certificates, authorities and keys can be used.",
};
const CERTIFICATE_SOON: &Rule = &Rule {
    id: "gate.certificate_doubtful",
    severity: Severity::Warning,
    about: "Certificates are of use and hold for 14 days more, and nobody else can read keys.",
};
const DRAIN_UNTIL: &Rule = &Rule {
    id: "gate.drain_until",
    severity: Severity::Warning,
    about: "A drain mark's `until` lies ahead.",
};
const LISTENER: &Rule =
    &Rule { id: "gate.listener", severity: Severity::Error, about: "Listeners can be bound." };
const FIXED: &Rule = &Rule {
    id: "gate.needs_upgrade",
    severity: Severity::Error,
    about: "A reload leaves listeners and the admin address as they are.",
};

const COLLECTOR: &Rule = &Rule {
    id: "gate.collector",
    severity: Severity::Error,
    about: "The header fields and authorities of the collector of traces can be read.",
};

const GEO_TABLE: &Rule = &Rule {
    id: "gate.geo_table",
    severity: Severity::Error,
    about: "Geo tables are sound, no older than those in use, much like them, and say what the canaries say.",
};
const GEO_AGE: &Rule = &Rule {
    id: "gate.geo_age",
    severity: Severity::Warning,
    about: "A geo table is at most `geo.max_age` old.",
};

/// What the gates let pass, with what was made on the way.
#[derive(Debug)]
pub(crate) struct Passed {
    /// What the file says.
    pub(crate) generation: Generation,
    /// Which certificate a name gets.
    pub(crate) certificates: Table,
    /// TLS towards the backends.
    pub(crate) backend_tls: ClientTable,
    /// Which place an address is in.
    pub(crate) geo: Tables,
    /// What homes are verified with.
    pub(crate) homes: Homes,
    /// What opens the admin interface at its TCP address.
    pub(crate) pass: Option<Pass>,
    /// What is doubtful.
    pub(crate) warnings: Report,
    /// The way from a key's path to its line.
    pub(crate) source: Source,
}

/// What the gates look at besides the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    /// Where keys are kept.
    pub(crate) state: &'a Path,
    /// The time.
    pub(crate) clock: &'a Clock,
    /// The same in seconds since the Unix epoch.
    pub(crate) now: i64,
    /// What backends are dialled with now: what stays as it is keeps its sessions.
    pub(crate) previous: Option<&'a ClientTable>,
    /// Where addresses are as of now: a new table is held against the one it takes the place of.
    pub(crate) tables: Option<&'a Tables>,
}

/// Puts `loaded` through all gates.
///
/// # Errors
/// The report, when it has an error: everything at once, warnings included.
pub(crate) fn pass(loaded: Loaded, around: &Around<'_>) -> Result<Passed, Report> {
    let Loaded { generation, source, warnings } = loaded;
    let mut report = Report::new(&source, warnings);
    let certificates = certificates(&generation, around, &mut report);
    let client = ClientTable::load(&generation, around.clock, around.previous);
    let backend_tls = taken(client, &mut report);
    let geo = geo(&generation, around, &mut report);
    let homes = taken(Homes::load(&generation), &mut report);
    let pass = match &generation.observe.admin_token {
        Some(path) => taken(Pass::load(path), &mut report).map(Some),
        None => Some(None),
    };
    collector(&generation, around.clock, &mut report);
    drains(&generation, &source, around.now, &mut report);
    bounds::failover(&generation, &source, &mut report);
    bounds::region_loss(&generation, &mut report);
    match (certificates.zip(backend_tls), geo.zip(homes), pass) {
        (Some((certificates, backend_tls)), Some((geo, homes)), Some(pass)) if !report.has_errors() => {
            Ok(Passed { generation, certificates, backend_tls, geo, homes, pass, warnings: report, source })
        }
        _ => Err(report),
    }
}

/// The report that a listener cannot be bound.
pub(crate) fn unbound(source: &Source, index: usize, error: &nearside_proxy::service::BindError) -> Report {
    let message = format!("{error}: {}", error.cause);
    let finding = Finding::new(LISTENER, message);
    let finding = match error.remedy() {
        Some(remedy) => finding.hint(remedy),
        None => finding,
    };
    let mut report = Report::new(source, Vec::new());
    report.push(&format!("listeners[{index}].bind"), finding);
    report
}

/// The report that refuses `next`, where it touches what only another process can change.
pub(crate) fn fixed(before: &Generation, next: &Generation, source: &Source) -> Option<Report> {
    let mut report = Report::new(source, Vec::new());
    let hint =
        "run `nearside upgrade` to apply it, or take the change back: a reload cannot bind or close sockets";
    if before.listeners != next.listeners {
        report.push("listeners", Finding::new(FIXED, "listeners have changed").hint(hint));
    }
    if before.observe.admin != next.observe.admin {
        report.push("observe.admin", Finding::new(FIXED, "the admin address has changed").hint(hint));
    }
    report.has_errors().then_some(report)
}

fn certificates(generation: &Generation, around: &Around<'_>, report: &mut Report) -> Option<Table> {
    let clock = || around.clock.clone();
    let named = Keys::load(generation.fleet.key_file.as_deref(), around.state, clock());
    // With the fleet's keys amiss a key of its own shows what else is wrong.
    let keys = taken(named, report).or_else(|| taken(Keys::load(None, around.state, clock()), report))?;
    taken(Table::load(&Wanted::of(generation), &keys, around.state), report)
}

fn taken<T>(loaded: Result<(T, Vec<Problem>), Vec<Problem>>, report: &mut Report) -> Option<T> {
    let (value, rule, found) = match loaded {
        Ok((value, warnings)) => (Some(value), CERTIFICATE_SOON, warnings),
        Err(problems) => (None, CERTIFICATE, problems),
    };
    for problem in found {
        report.push(&problem.key_path, Finding::new(rule, problem.message).hint(problem.hint));
    }
    value
}

/// The tables of `generation`, as of `now`, held against those in use.
pub(crate) fn tables(
    generation: &Generation,
    previous: Option<&Tables>,
    now: SystemTime,
) -> Result<Tables, Vec<GeoError>> {
    let geo = &generation.geo;
    let spec = Spec { files: &geo.tables, overrides: &geo.overrides, canaries: &geo.canaries };
    Tables::load(spec, previous, now)
}

/// The tables of `generation` for a command that asks them.
///
/// # Errors
/// What is wrong with them, and what to do about it.
pub(crate) fn open_tables(generation: &Generation) -> anyhow::Result<Tables> {
    tables(generation, None, SystemTime::now()).map_err(|errors| {
        let each = errors.into_iter().map(|error| {
            let remedy = error.remedy();
            format!("{:#}; {remedy}", anyhow::Error::new(error))
        });
        anyhow::anyhow!(each.collect::<Vec<_>>().join("\n"))
    })
}

/// What is believed of requests for a command that asks, by the fleet's keys (those kept in the folder `state` where the
/// file names none) and those of homes.
///
/// # Errors
/// What is wrong with the keys.
pub(crate) fn beliefs(generation: &Generation, state: &Path) -> Result<Beliefs, Vec<Problem>> {
    let (keys, _) = Keys::load(generation.fleet.key_file.as_deref(), state, Clock::system())?;
    let (homes, _) = Homes::load(generation)?;
    Ok(Beliefs::new(generation, keys.seal(SEAL), homes))
}

fn geo(generation: &Generation, around: &Around<'_>, report: &mut Report) -> Option<Tables> {
    let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(around.now).unwrap_or(0));
    let key = |path: Option<&Path>| {
        let found = path.and_then(|path| generation.geo.tables.iter().position(|known| known == path));
        found.map_or_else(|| "geo".to_owned(), |index| format!("geo.tables[{index}]"))
    };
    match tables(generation, around.tables, now) {
        Ok(tables) => {
            for file in tables.files() {
                let age = now.duration_since(file.built).unwrap_or_default();
                if age > generation.geo.max_age {
                    let days = age.as_secs() / 86_400;
                    let message = format!("the geo table {} is {days} days old", file.path.display());
                    report.push(
                        &key(Some(file.path)),
                        Finding::new(GEO_AGE, message).hint("fetch a new edition"),
                    );
                }
            }
            Some(tables)
        }
        Err(errors) => {
            for error in errors {
                let path = match &error {
                    GeoError::Canary { address, .. } => format!("geo.canaries.{address}"),
                    _ => key(error.path()),
                };
                let remedy = error.remedy();
                let finding =
                    Finding::new(GEO_TABLE, format!("{:#}", anyhow::Error::new(error))).hint(remedy);
                report.push(&path, finding);
            }
            None
        }
    }
}

/// What is needed to reach the collector. It is read anew with each connection and batch, so that it can be replaced.
fn collector(generation: &Generation, clock: &Clock, report: &mut Report) {
    let Some(tracing) = &generation.observe.tracing else { return };
    if tracing.endpoint.tls
        && let Err(problem) = nearside_tls::collector(tracing.ca.as_deref(), clock)
    {
        report.push(&problem.key_path, Finding::new(COLLECTOR, problem.message).hint(problem.hint));
    }
    let Some(path) = tracing.headers_file.as_deref() else { return };
    let finding = match export::read_headers(path) {
        Err(cause) => Finding::new(COLLECTOR, format!("{cause:#}"))
            .hint("write a field a line, such as `authorization: Bearer ...`"),
        Ok(_) if fs::metadata(path).is_ok_and(|file| file.mode() & 0o004 != 0) => {
            let message = format!("{} holds fields that others can read", path.display());
            Finding::new(CERTIFICATE_SOON, message).hint(format!("chmod o-r {}", path.display()))
        }
        Ok(_) => return,
    };
    report.push("observe.tracing.headers_file", finding);
}

fn drains(generation: &Generation, source: &Source, now: i64, report: &mut Report) {
    for region in &generation.regions {
        if let Some(finding) = overdue(region.drain.as_ref(), now) {
            report.push(&format!("regions.{}.drain", region.name), finding);
        }
    }
    for pool in &generation.pools {
        for (index, backend) in generation.backends_of(pool).iter().enumerate() {
            if let Some(finding) = overdue(backend.drain.as_ref(), now) {
                let path = format!("{}.backends[{index}].drain", path_of(pool, generation, source));
                report.push(&path, finding);
            }
        }
    }
}

/// Where the file declares `pool`: by its name, or in the route that it is named after.
fn path_of(pool: &Pool, generation: &Generation, source: &Source) -> String {
    let own = format!("pools.{}", pool.name);
    // Of a hundred thousand routes none is looked at for a pool that is declared.
    if source.has(&own) {
        return own;
    }
    let mut routes = generation.routes.routes().iter();
    routes.position(|route| route.id == pool.name).map_or(own, |index| format!("routes[{index}]"))
}

/// A time for people.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

fn overdue(mark: Option<&Drain>, now: i64) -> Option<Finding> {
    let until = mark?.until.as_deref()?;
    let over = instant(until)?.unix_timestamp() < now;
    let message = format!("the drain was to end by {until}, and is still in force");
    let hint = "undrain it, or move `until`; the mark holds until it is taken off";
    over.then(|| Finding::new(DRAIN_UNTIL, message).hint(hint))
}

/// The moment that `until` names; a date ends with its day.
fn instant(until: &str) -> Option<OffsetDateTime> {
    let day = || {
        let date = Date::parse(until, format_description!("[year]-[month]-[day]")).ok()?;
        Some(date.next_day()?.midnight().assume_utc())
    };
    OffsetDateTime::parse(until, &Rfc3339).ok().or_else(day)
}

#[cfg(test)]
mod tests;
