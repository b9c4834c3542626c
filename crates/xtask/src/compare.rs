//! `cargo xtask compare`: cost per request and memory, beside nginx, HAProxy, Envoy and a minimal pingora-proxy in the same run.
//!
//! All proxies have one worker, the same certificate, kept upstream connections and the same origin, and take turns.
//! Where the machine counts instructions they are the measure, as they repeat to a percent or two; elsewhere it is CPU time, whose least of
//! several rounds is good to a tenth or two. An emulated machine counts instructions everywhere, and so slowly that a round is short.

mod client;
mod errand;
mod extent;
mod machine;
mod memory;
mod meter;
mod perf;
mod profile;
mod proxy;
mod reload;
mod scenario;
mod setup;
mod table;

use crate::driver;
use crate::peers::{self, NEARSIDE, Peer};
use crate::process;
use crate::record::Record;
use crate::tools::{self, Need};
use anyhow::{Context, Result, anyhow, bail};
use client::Client;
use errand::Errand;
use extent::Extent;
use machine::Machine;
use meter::Meter;
use profile::Profile;
use proxy::{Proxy, Shape};
use scenario::Scenario;
use setup::{MANY, Setup};
use std::path::{Path, PathBuf};
use table::{Cost, Row};

/// What to compare.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rounds; the figure shown is the least of them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests per round of the cheapest scenarios; the dearer ones send a part of it.
    #[arg(long, default_value_t = 40_000)]
    requests: usize,
    /// Idle connections of the memory scenario; 0 leaves it out.
    #[arg(long, default_value_t = 5_000)]
    idle: usize,
    /// Only these scenarios, by their letters.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// The proxies beside nearside.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["nginx", "haproxy", "envoy"])]
    peers: Vec<Peer>,
    /// nearside alone.
    #[arg(long)]
    alone: bool,
    /// Fails where a figure is missed.
    #[arg(long)]
    hold: bool,
    /// Without the minimal proxy on pingora's own engine, which takes minutes to build.
    #[arg(long)]
    no_pingora: bool,
    /// nearside built without a profile of itself, in half the time: dearer than it is released.
    #[arg(long)]
    unprofiled: bool,
    /// Counts instructions in user space by valgrind, which every machine can do, of what can be counted so: not handshakes, memory,
    /// reloads and Envoy. A round is a fiftieth as long.
    #[arg(long)]
    count: bool,
    /// Counts instructions, user and kernel, in an emulated machine, which every x86-64 machine with Debian's packages can do: of all
    /// but memory and reloads. A round is a twentieth as long.
    #[arg(long, conflicts_with = "count")]
    emulate: bool,
    /// Sends each load once more while perf watches, and leaves a report by function beside the emulated machine's other files.
    #[arg(long, requires = "emulate")]
    profile: bool,
    /// Inside the emulated machine: the folder that it shares with the outside, by which the run there is told what to do.
    #[arg(long, hide = true, requires = "emulate", value_name = "FOLDER")]
    inside: Option<PathBuf>,
    /// Writes the table into this page, between its two marks.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Builds nearside with full optimisation, runs all proxies through every scenario, prints the table.
///
/// # Errors
/// When a tool is missing, a proxy does not start, or a request fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let only = chosen(&arguments.only)?;
    let has = |name: &str| only.iter().any(|only| only == name);
    if arguments.hold && !has("B") && (has("L") || has("S")) {
        bail!("L and S are held to B: name it too");
    }
    if let Some(shared) = &arguments.inside {
        let (table, verdict) = measure(arguments, only, Errand::take(shared)?)?;
        errand::bring(shared, &table)?;
        return verdict;
    }
    let root = process::root()?;
    tools::ensure(&[Need::Build, arguments.need()])?;
    let target = process::target(&root)?;
    let folder = target.join("compare");
    let peers: &[Peer] = if arguments.alone { &[] } else { &arguments.peers };
    let mut programs = peers::find(peers, &folder)?;
    programs.extend(arguments.built(&root, &target)?);
    // It has an allocator that valgrind cannot follow.
    programs.retain(|(name, _)| !(arguments.count && *name == "envoy"));
    // Two tables have their places in one page.
    let task = if arguments.emulate { "compare --emulate" } else { "compare" };
    let mut record = Record::open(task, &folder, &root, &programs)?;
    let errand = Errand { target, programs };
    let (table, verdict) = if arguments.emulate {
        emulate(arguments, &folder, &errand)?
    } else {
        measure(arguments, only, errand)?
    };
    record.conclude(&table, arguments.record.as_ref().map(|page| root.join(page)).as_deref())?;
    verdict
}

/// Has an emulated machine measure, by this very program and its own arguments. Returns the table, and whether all is well.
fn emulate(arguments: &Arguments, folder: &Path, errand: &Errand) -> Result<(String, Result<()>)> {
    let machine = Machine::make(&folder.join("machine"))?;
    errand.give(&machine.shared())?;
    let own = std::env::current_exe().context("this program is gone")?;
    let words = std::env::args_os().skip(1).chain(["--inside".into(), machine::SHARED.into()]);
    let words: Vec<_> = std::iter::once(own.into_os_string()).chain(words).collect();
    let status = machine.run(words.iter().map(|word| word.as_os_str()))?;
    let table = errand::brought(&machine.shared())?;
    let verdict =
        if status == 0 { Ok(()) } else { Err(anyhow!("the run inside ended with status {status}")) };
    if arguments.profile {
        println!("what perf reported: {}", machine.shared().join(profile::FOLDER).display());
    }
    Ok((format!("{table}\n{}\n", machine.model()?), verdict))
}

/// The table, and whether all figures are reached to which the run is held.
fn measure(arguments: &Arguments, only: Vec<String>, errand: Errand) -> Result<(String, Result<()>)> {
    let setup = Setup::start(&errand.target)?;
    let meter = arguments.meter(&setup);
    let profiles = arguments.inside.as_deref().filter(|_| arguments.profile);
    let profile = profiles.map(|shared| Profile::begin(&shared.join(profile::FOLDER))).transpose()?;
    let run = Run { arguments, only, meter, profile, setup, programs: errand.programs };
    let mut rows = run.usual()?;
    rows.extend(run.many_hosts()?);
    rows.extend(run.very_many_hosts()?);
    let plain = rows.iter().find(|row| row.name == "B").and_then(|row| row.costs.last()?.as_ref());
    let plain = plain.map(|cost| ("B", cost.figure));
    let logged = Shape { is_logged: true, ..Shape::USUAL };
    rows.extend(run.beside(plain, scenario::LOGGED, logged)?);
    rows.extend(run.beside(plain, scenario::FULL, Shape { regions: 3, ..logged })?);
    let columns = run.columns();
    let missed: Vec<_> = rows.iter().filter(|row| row.is_missed(&columns)).map(|row| row.name).collect();
    let is_held = arguments.hold && !missed.is_empty();
    let verdict = if is_held { Err(anyhow!("figures are missed: {}", missed.join(", "))) } else { Ok(()) };
    Ok((table::markdown(&columns, &rows), verdict))
}

impl Arguments {
    /// What is built here: the smallest proxy that pingora's own engine makes, where it is wanted and can be had, and nearside.
    fn built(&self, root: &Path, target: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
        let mut built = Vec::new();
        if !(self.alone || self.no_pingora) {
            match proxy::pingora(root, target) {
                Ok(program) => built.push(("pingora", program)),
                Err(error) => eprintln!("SKIPPED: pingora: {error:#}"),
            }
        }
        built.push((NEARSIDE, proxy::nearside(root, target, !self.unprofiled)?));
        Ok(built)
    }

    fn need(&self) -> Need {
        match (self.count, self.emulate) {
            (true, _) => Need::Count,
            (_, true) => Need::Emulate,
            _ => Need::Compare,
        }
    }

    fn meter(&self, setup: &Setup) -> Meter {
        match (self.count, self.emulate) {
            (true, _) => Meter::Callgrind(setup.folder().to_owned()),
            (_, true) => Meter::Emulated,
            _ => Meter::of_this_machine(),
        }
    }

    /// Whether what is counted is the same in every round.
    fn is_exact(&self) -> bool {
        self.count || self.emulate
    }
}

/// The scenarios of these names, whatever their case.
fn chosen(only: &[String]) -> Result<Vec<String>> {
    let only: Vec<_> = only.iter().map(|name| name.to_ascii_uppercase()).collect();
    let loads = [scenario::USUAL, scenario::ROUTING, scenario::LOGGED, scenario::FULL].into_iter().flatten();
    let names: Vec<_> = loads.map(|scenario| scenario.name).chain(["G", "G2", "H", "R", "R2"]).collect();
    driver::check(&only, "scenario", &names)?;
    Ok(only)
}

/// One run of the comparison.
struct Run<'a> {
    arguments: &'a Arguments,
    /// The scenarios to which it is held; none for all.
    only: Vec<String>,
    meter: Meter,
    profile: Option<Profile>,
    setup: Setup,
    programs: Vec<(&'static str, PathBuf)>,
}

impl Run<'_> {
    /// All proxies in their usual configuration: H, A to F, G.
    fn usual(&self) -> Result<Vec<Row>> {
        let proxies = self.start(Shape::USUAL, |_| true)?;
        let mut rows = Vec::new();
        if self.wanted("H") {
            let costs = self.each(&proxies, |proxy| memory::at_start(proxy).map(Some))?;
            rows.push(Row {
                name: "H",
                title: "memory at the start".to_owned(),
                unit: "KiB",
                costs,
                ..Row::default()
            });
        }
        rows.extend(self.scenarios(scenario::USUAL, &proxies, None)?);
        for (name, protocol, at_most) in [("G", "h1", &[("nginx", 0.7)][..]), ("G2", "h2", &[])] {
            if self.arguments.idle == 0 || !self.wanted(name) {
                continue;
            }
            let idle = self.arguments.idle;
            let costs = self
                .each(&proxies, |proxy| memory::a_connection(&self.setup, proxy, idle, protocol).map(Some))?;
            let title = format!("each of {idle} idle TLS {protocol} connections");
            rows.push(Row { name, title, unit: "KiB", costs, at_most, ..Row::default() });
        }
        Ok(rows)
    }

    /// The proxies that know hosts, with many of them: I, R.
    fn many_hosts(&self) -> Result<Vec<Row>> {
        if !self.wanted("I") && !self.wanted("R") {
            return Ok(Vec::new());
        }
        let shape = Shape { hosts: MANY, ..Shape::USUAL };
        let proxies = self.start(shape, |name| name != "pingora")?;
        let mut rows = self.scenarios(scenario::ROUTING, &proxies, None)?;
        if self.wanted("R") {
            let costs = self.reloads(&proxies, shape, self.arguments.requests)?;
            let title = "reload with 10,000 hosts, until in force".to_owned();
            rows.push(Row { name: "R", title, unit: "ms", costs, ..Row::default() });
        }
        Ok(rows)
    }

    /// nearside alone, with far more than it needs: R2.
    fn very_many_hosts(&self) -> Result<Vec<Row>> {
        if !self.wanted("R2") {
            return Ok(Vec::new());
        }
        let shape = Shape { hosts: 10 * MANY, pools: 100, ..Shape::USUAL };
        let proxies = self.start(shape, |name| name == "nearside")?;
        let mut rows = Vec::new();
        for (marker, requests, beside) in [(1, 0, "nothing"), (1001, self.arguments.requests, "full load")] {
            let costs = self.reloads(&proxies, Shape { marker, ..shape }, requests)?;
            let title =
                format!("reload with 100,000 hosts and 1,000 backends, until in force, beside {beside}");
            rows.push(Row { name: "R2", title, unit: "ms", costs, ..Row::default() });
        }
        Ok(rows)
    }

    /// The least of several reloads, one after another. What was lost in any of them is said.
    fn reloads(&self, proxies: &[Proxy], shape: Shape, requests: usize) -> Result<Vec<Option<Cost>>> {
        self.each(proxies, |proxy| {
            let markers = (shape.marker..).take(self.arguments.rounds);
            let costs = markers
                .map(|marker| reload::measure(&self.setup, proxy, Shape { marker, ..shape }, requests));
            Ok(costs.collect::<Result<Option<Vec<_>>>>()?.and_then(reload::least))
        })
    }

    /// nearside alone, in a shape of its own, beside what another scenario has cost it: L, S.
    fn beside(
        &self,
        own: Option<(&'static str, f64)>,
        scenarios: &'static [Scenario],
        shape: Shape,
    ) -> Result<Vec<Row>> {
        if !scenarios.iter().any(|scenario| self.wanted(scenario.name)) {
            return Ok(Vec::new());
        }
        let proxies = self.start(shape, |name| name == "nearside")?;
        self.scenarios(scenarios, &proxies, own)
    }

    fn columns(&self) -> Vec<&'static str> {
        self.programs.iter().map(|(name, _)| *name).collect()
    }

    fn wanted(&self, name: &str) -> bool {
        let is_countable = !["G", "G2", "H", "R", "R2"].contains(&name) || !self.arguments.is_exact();
        // valgrind is too slow for handshakes.
        let is_bearable = !["D", "D2"].contains(&name) || !self.arguments.count;
        is_countable && is_bearable && (self.only.is_empty() || self.only.iter().any(|only| only == name))
    }

    fn start(&self, shape: Shape, takes_part: impl Fn(&str) -> bool) -> Result<Vec<Proxy>> {
        let mut proxies = Vec::new();
        for (name, program) in self.programs.iter().filter(|(name, _)| takes_part(name)) {
            let started = Proxy::start((name, program), &self.setup, shape, &self.meter);
            match started.with_context(|| format!("{name} does not start")) {
                // The emulated machine is another than the one for which a peer was chosen.
                Err(error) if self.arguments.emulate && *name != NEARSIDE => eprintln!("SKIPPED: {error:#}"),
                started => proxies.extend(started?),
            }
        }
        Ok(proxies)
    }

    /// One cost of every proxy, in the order of the columns; none for those that do not take part.
    fn each(
        &self,
        proxies: &[Proxy],
        cost: impl Fn(&Proxy) -> Result<Option<Cost>>,
    ) -> Result<Vec<Option<Cost>>> {
        let of = |name: &str| proxies.iter().find(|proxy| proxy.name == name);
        self.programs.iter().map(|(name, _)| of(name).map_or(Ok(None), &cost)).collect()
    }

    /// The least of several rounds in which the proxies take turns.
    fn scenarios(
        &self,
        scenarios: &'static [Scenario],
        proxies: &[Proxy],
        own: Option<(&'static str, f64)>,
    ) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for scenario in scenarios.iter().filter(|scenario| self.wanted(scenario.name)) {
            let mut least: Vec<Option<Cost>> = vec![None; self.programs.len()];
            for _ in 0..Extent::of(self.arguments).rounds {
                let costs = self.each(proxies, |proxy| self.round(scenario, proxy).map(Some))?;
                for (least, cost) in least.iter_mut().zip(costs) {
                    let smaller = |cost: &Cost| least.as_ref().is_none_or(|least| cost.figure < least.figure);
                    if let Some(cost) = cost.filter(smaller) {
                        *least = Some(cost);
                    }
                }
            }
            let title = scenario.title.to_owned();
            let row = Row {
                name: scenario.name,
                title,
                unit: self.meter.unit(),
                costs: least,
                own,
                at_most: scenario.at_most,
            };
            println!("{}", row.line(&self.columns()));
            rows.push(row);
        }
        Ok(rows)
    }

    /// A warm-up, then the load while the proxy is metered.
    fn round(&self, scenario: &Scenario, proxy: &Proxy) -> Result<Cost> {
        let client = Client { setup: &self.setup };
        let extent = Extent::of(self.arguments);
        let (ahead, requests) = extent.requests(scenario);
        client.send(scenario, proxy, ahead)?;
        let spent = |requests| {
            let reading = self.meter.begin(&proxy.server().workers()?)?;
            client.send(scenario, proxy, requests)?;
            reading.end()
        };
        let (spent, requests) = match extent.times {
            1 => (spent(requests)?, requests),
            times => (spent(times * requests)? - spent(requests)?, (times - 1) * requests),
        };
        if let Some(profile) = &self.profile {
            let name = format!("{}-{}", scenario.name, proxy.name);
            profile.take(&name, &proxy.server().workers()?, || client.send(scenario, proxy, requests))?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
        let requests = requests as f64;
        Ok(Cost::of(spent / requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_chosen_by_name_in_any_case_and_an_unknown_one_is_refused() {
        let names = |only: &[&str]| chosen(&only.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["a", "D2", "r"]).unwrap(), ["A", "D2", "R"]);
        let error = names(&["Q"]).unwrap_err().to_string();
        assert!(error.contains("scenario: Q") && error.contains("G2"), "{error}");
    }
}
