//! The command line.

#[cfg(test)]
mod documented;
mod sample;
mod shell;

pub(crate) use sample::SampleArgs;
pub(crate) use shell::{CompletionsArgs, ManArgs, Shell};

use crate::complete;
use clap::builder::PossibleValuesParser;
use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::ArgValueCandidates;
use nearside_telemetry::journal::Kind;
use nearside_whatif::Origin;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// nearside: the public HTTPS entrance of a service that runs in several regions.
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve; reloads by itself when the file, a geo table or a certificate changes.
    Run(RunArgs),
    /// Serve the shipped routes.yaml with sample backends at simulated distances.
    Demo(DemoArgs),
    /// Say everything that is wrong with a file.
    Check(CheckArgs),
    /// Say why a request would go where it would go.
    Explain(ExplainArgs),
    /// Say where the traffic would go without a region, and whether what is left can carry it.
    Simulate(SimulateArgs),
    /// Say where addresses are, and who says so; or what a new table would change.
    Geo(GeoArgs),
    /// Mark a region or a backend drained in the file.
    Drain(DrainArgs),
    /// Take the mark off again.
    Undrain(UndrainArgs),
    /// Replace the running process by the program on disk, without losing a request.
    Upgrade(UpgradeArgs),
    /// Show what the running PoP knows.
    Status(StatusArgs),
    /// Show what the running PoP does, live: regions, backends, routes and drains, as they change.
    Top(TopArgs),
    /// Show what has changed, and when, and why.
    Journal(JournalArgs),
    /// Print the script by which a shell completes what is typed, names of regions and backends included.
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder.
    Man(ManArgs),
    /// A sample backend, as the demo starts them.
    #[command(hide = true)]
    Sample(SampleArgs),
}

/// `nearside run`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// The file.
    #[arg(default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) pop: PopArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Worker threads [default: one per core].
    #[arg(long, env = "NEARSIDE_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Take over from the process at the other end of standard input, as `upgrade` has it.
    #[arg(long, hide = true)]
    pub(crate) take_over: bool,
}

/// What differs per PoP, and so is no part of the file.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct PopArgs {
    /// This PoP's name.
    #[arg(long, env = "NEARSIDE_POP", default_value = "local")]
    pub(crate) pop: String,
    /// Where it stands: a country, or a country and a position (`DE` or `DE,50.11,8.68`).
    #[arg(long, env = "NEARSIDE_PLACE")]
    pub(crate) place: Option<String>,
}

/// Where a PoP keeps what is its own.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct StateArgs {
    /// The folder of keys, the local authority and the admin socket [default: $STATE_DIRECTORY, or nearside in the
    /// user's state folder].
    #[arg(long, env = "NEARSIDE_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// `nearside demo`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// The file that is served.
    #[arg(default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
    /// Where the demo pretends to be, as for `run`: how far away regions seem depends on it.
    #[arg(long, env = "NEARSIDE_PLACE", default_value = "DE")]
    pub(crate) place: String,
    /// The folder of keys, the local authority and the admin socket [default: `demo` in the folder of `run`].
    #[arg(long, env = "NEARSIDE_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// `nearside check`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// The file.
    #[arg(default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
    /// Print the file with every default filled in.
    #[arg(long)]
    pub(crate) effective: bool,
    /// Prove that no request can leave its residency class: every state of the regions is put to the decision.
    #[arg(long, conflicts_with = "effective")]
    pub(crate) prove: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `nearside explain`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// The host asked for.
    #[arg(long)]
    pub(crate) host: String,
    /// The path asked for.
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// The method.
    #[arg(long, default_value = "GET")]
    pub(crate) method: String,
    /// The client's address.
    #[arg(long, default_value = "192.0.2.1")]
    pub(crate) client: IpAddr,
    /// A cookie that it sends, such as a session's; may be repeated. What is signed is verified as for a real request.
    #[arg(long, value_name = "NAME=VALUE", value_parser = read_cookie)]
    pub(crate) cookie: Vec<String>,
    /// A header that it sends; may be repeated. X-Forwarded-For is believed only if --client is a trusted hop.
    #[arg(long, value_name = "NAME:VALUE", value_parser = read_header)]
    pub(crate) header: Vec<String>,
    /// Suppose that this region or backend is down; may be repeated.
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(complete::targets))]
    pub(crate) down: Vec<String>,
    /// Suppose that this region or backend is marked drained; may be repeated.
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(complete::targets))]
    pub(crate) drain: Vec<String>,
    /// The PoP that is asked, as for `run`; with --live the running one has to have this name.
    #[arg(long, env = "NEARSIDE_POP")]
    pub(crate) pop: Option<String>,
    /// Where the PoP stands, as for `run`: without it nothing is near or far.
    #[arg(long, env = "NEARSIDE_PLACE")]
    pub(crate) place: Option<String>,
    /// Suppose that the request names this home, as if it were signed where the route wants that.
    #[arg(long, value_name = "VALUE")]
    pub(crate) home: Option<String>,
    /// Chance, as a number: the weighted choice depends on it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Ask the running PoP: by its generation, its geo tables and what it knows of the backends now.
    #[arg(long, conflicts_with_all = ["down", "drain", "file"])]
    pub(crate) live: bool,
    /// Ask the past: by the generation and the evidence of then, as the state folder has them. 14:03,
    /// 2026-11-21T14:03:00Z (in UTC), or `10m ago`.
    #[arg(long, value_name = "TIME", value_parser = crate::moment::read)]
    #[arg(conflicts_with_all = ["down", "drain", "file", "live"])]
    pub(crate) at: Option<SystemTime>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The file.
    #[arg(long, default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
}

fn read_cookie(text: &str) -> Result<String, String> {
    let is_pair = text.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    if is_pair && !text.contains(|it: char| it.is_control() || it == ';') {
        Ok(text.to_owned())
    } else {
        Err("write a name and a value, such as home=eu1.c2lnbmVk".to_owned())
    }
}

fn read_header(text: &str) -> Result<String, String> {
    let pair = text.split_once(':').filter(|(name, _)| !name.is_empty() && !name.contains(' '));
    match pair {
        Some((name, value)) if !text.contains(char::is_control) => Ok(format!("{name}: {}", value.trim())),
        Some(_) | None => Err("write a name and a value, such as x-home:eu1".to_owned()),
    }
}

/// `nearside simulate`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct SimulateArgs {
    /// The file.
    #[arg(default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
    /// Suppose that these regions are down.
    #[arg(long, value_name = "REGION", num_args = 1.., value_delimiter = ',', required_unless_present = "drain",
        add = ArgValueCandidates::new(complete::regions))]
    pub(crate) lose: Vec<String>,
    /// Suppose that these regions or backends are marked drained.
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',',
        add = ArgValueCandidates::new(complete::targets))]
    pub(crate) drain: Vec<String>,
    /// Where requests come from, in parts of any size: country:DE=60,country:US=40; also state:US-CA, group:EU,
    /// continent:NA, subnet:10.0.0.0/8, world and unknown [default: as much from each place that the file's rules tell
    /// apart].
    #[arg(long, value_name = "PLACE=NUMBER", value_delimiter = ',', value_parser = read_part)]
    pub(crate) demand: Vec<(Origin, f64)>,
    /// Requests a second in all [default: each region that serves carries its declared capacity].
    #[arg(long, value_name = "NUMBER", value_parser = read_number)]
    pub(crate) rps: Option<f64>,
    /// Suppose that all clients come in at one PoP, which stands there; as for `run` [default: at a PoP near them].
    #[arg(long, env = "NEARSIDE_PLACE")]
    pub(crate) place: Option<String>,
    /// By what the running PoP has measured: its file, the health and distance of backends, and what each region is
    /// offered now, times the number of PoPs.
    #[arg(long, conflicts_with_all = ["file", "rps"])]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn read_part(text: &str) -> Result<(Origin, f64), String> {
    let hint = "write a place and its part, such as country:DE=60, group:EU=30 or unknown=1";
    let (place, number) = text.rsplit_once('=').ok_or(hint)?;
    Ok((Origin::parse(place).ok_or(hint)?, read_number(number)?))
}

fn read_number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "write a number above 0".to_owned())
}

/// `nearside geo`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct GeoArgs {
    /// The addresses.
    #[arg(required_unless_present = "diff")]
    pub(crate) addresses: Vec<IpAddr>,
    /// Compare the file's tables with this one, in the place of all of them: which networks change place, and which of
    /// those change residency class.
    #[arg(long, value_name = "NEW.mmdb", conflicts_with = "addresses")]
    pub(crate) diff: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The file, whose tables and overrides are asked.
    #[arg(long, default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
}

/// `nearside drain`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct DrainArgs {
    /// A region, or a backend as `pool/backend`.
    #[arg(add = ArgValueCandidates::new(complete::targets))]
    pub(crate) target: String,
    /// Why; it stands in the file and in `status`.
    #[arg(long)]
    pub(crate) reason: String,
    /// Who [default: the user].
    #[arg(long)]
    pub(crate) by: Option<String>,
    /// When it should be over, such as 2026-11-30: a reminder, which ends nothing.
    #[arg(long, value_parser = nearside_config::read_date)]
    pub(crate) until: Option<String>,
    /// How long open streams may go on [default: 5m].
    #[arg(long, value_parser = nearside_config::read_duration)]
    pub(crate) grace: Option<Duration>,
    /// Drain it even where what is left cannot carry the load, or nothing is left for some requests.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// The file.
    #[arg(long, default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Whether a change of a mark is waited for.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct WaitArgs {
    /// Change the file, and do not wait until the running PoP has followed.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Wait no longer than this; the mark stays as it was set.
    #[arg(long, value_parser = nearside_config::read_duration, conflicts_with = "no_wait")]
    pub(crate) timeout: Option<Duration>,
}

/// `nearside undrain`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct UndrainArgs {
    /// A region, or a backend as `pool/backend`.
    #[arg(add = ArgValueCandidates::new(complete::targets))]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// The file.
    #[arg(long, default_value = "routes.yaml")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// `nearside upgrade`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct UpgradeArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// `nearside status`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show it anew each second; with --json, a document a line.
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// `nearside top`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct TopArgs {
    /// Print one frame as plain text, for scripts; so it does where standard output is no terminal.
    #[arg(long)]
    pub(crate) once: bool,
    /// How long a look lasts.
    #[arg(long, value_name = "DURATION", value_parser = nearside_config::read_duration, default_value = "1s")]
    pub(crate) every: Duration,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// `nearside journal`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct JournalArgs {
    /// From this moment on: 14:03, 2026-11-21T14:03:00Z, 2026-11-21 (in UTC), or `10m ago`.
    #[arg(long, value_name = "TIME", value_parser = crate::moment::read)]
    pub(crate) since: Option<SystemTime>,
    /// Up to this moment.
    #[arg(long, value_name = "TIME", value_parser = crate::moment::read)]
    pub(crate) until: Option<SystemTime>,
    /// Only these kinds; may be repeated.
    #[arg(long, value_delimiter = ',', value_parser = kinds())]
    pub(crate) kind: Vec<String>,
    /// Only what concerns these regions; may be repeated.
    #[arg(long, value_name = "REGION", value_delimiter = ',', add = ArgValueCandidates::new(complete::regions))]
    pub(crate) region: Vec<String>,
    /// Only these backends, by id or as `pool/backend`; may be repeated.
    #[arg(long, value_name = "BACKEND", value_delimiter = ',', add = ArgValueCandidates::new(complete::targets))]
    pub(crate) backend: Vec<String>,
    /// Go on, and print what comes.
    #[arg(long, conflicts_with = "until")]
    pub(crate) follow: bool,
    /// Print JSON; with --follow, an entry a line.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

fn kinds() -> PossibleValuesParser {
    Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().into()
}
