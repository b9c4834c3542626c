//! `cargo xtask compare`: cost per request and memory per idle connection, beside nginx in the same run.
//!
//! Both proxies have one worker, the same certificate, kept upstream connections and the same origin, write a record of
//! each request, and take turns. Where the machine counts instructions they are the measure, as they repeat to a percent or two; elsewhere it
//! is CPU time, whose least of several rounds is good to a tenth or two.

mod memory;
mod meter;
mod peers;

use crate::process;
use crate::tools::{self, Need};
use anyhow::{Result, bail};
use meter::Meter;
use peers::{Bench, Proxy};
use std::process::Command;

/// What to compare.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rounds; the figure shown is the least of them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests per round and scenario.
    #[arg(long, default_value_t = 40_000)]
    requests: usize,
    /// Idle connections of the memory scenario; 0 leaves it out.
    #[arg(long, default_value_t = 5_000)]
    idle: usize,
}

/// One way to send requests.
struct Scenario {
    name: &'static str,
    title: &'static str,
    tls: bool,
    load: &'static [&'static str],
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "A", title: "HTTP/1.1, 1 KB", tls: false, load: &["--h1", "-c64"] },
    Scenario { name: "B", title: "HTTP/1.1 over TLS 1.3, 1 KB", tls: true, load: &["--h1", "-c64"] },
    Scenario {
        name: "C",
        title: "HTTP/2 over TLS 1.3, 8 x 32 streams, 1 KB",
        tls: true,
        load: &["-c8", "-m32"],
    },
];

/// Builds nearside with full optimisation, runs both proxies through every scenario, prints the table.
///
/// # Errors
/// When a tool is missing, a proxy does not start, or a request fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    tools::ensure(&[Need::Build, Need::Compare])?;
    process::run(process::cargo(&root).args([
        "build",
        "--release",
        "-p",
        "nearside",
        "-p",
        "nearside-benches",
    ]))?;
    let bench = Bench::start(&root)?;
    let meter = Meter::of_this_machine();
    println!("\n| scenario | proxy | {} a request | ratio to nginx |", meter.unit());
    println!("|---|---|---:|---:|");
    for scenario in SCENARIOS {
        let mut least: [Option<f64>; 2] = [None, None];
        for _ in 0..arguments.rounds {
            for (best, proxy) in least.iter_mut().zip(&bench.proxies) {
                let cost = measure(scenario, proxy, arguments.requests, &meter)?;
                *best = Some(best.map_or(cost, |best: f64| best.min(cost)));
            }
        }
        print(scenario, &bench.proxies, least);
    }
    if arguments.idle > 0 {
        memory::compare(&bench, arguments.idle)?;
    }
    println!(
        "\nnginx: {}; {} requests a round, the least of {} rounds.",
        bench.nginx_version, arguments.requests, arguments.rounds
    );
    Ok(())
}

fn print(scenario: &Scenario, proxies: &[Proxy; 2], least: [Option<f64>; 2]) {
    let [nginx, _] = least;
    for (proxy, cost) in proxies.iter().zip(least) {
        if let (Some(cost), Some(nginx)) = (cost, nginx) {
            let (name, title) = (scenario.name, scenario.title);
            println!("| {name} {title} | {} | {cost:.1} | {:.2} |", proxy.name, cost / nginx);
        }
    }
}

/// One round: a warm-up, then the load while the proxy is metered.
fn measure(scenario: &Scenario, proxy: &Proxy, requests: usize, meter: &Meter) -> Result<f64> {
    let url = proxy.url(scenario.tls);
    load(scenario, &url, requests / 10)?;
    let reading = meter.begin(&proxy.workers()?)?;
    load(scenario, &url, requests)?;
    #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
    let requests = requests as f64;
    Ok(reading.end()? / requests)
}

fn load(scenario: &Scenario, url: &str, requests: usize) -> Result<()> {
    let mut command = Command::new("h2load");
    command.args(scenario.load).arg(format!("-n{requests}")).arg(url);
    let told = process::output(&mut command)?;
    let whole = format!("{requests} succeeded, 0 failed");
    if !told.contains(&whole) || !told.contains(&format!("status codes: {requests} 2xx")) {
        bail!("not every request succeeded at {url}:\n{told}");
    }
    Ok(())
}
