//! `cargo xtask compare`: instructions per request and memory per idle connection, beside nginx in the same run.
//!
//! Both proxies have one worker, the same certificate, kept upstream connections and the same origin, and take
//! turns. Instructions repeat to a percent or two whatever else the machine does; times would not, so none are shown.

mod memory;
mod peers;

use crate::process;
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use peers::{Bench, Proxy};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

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

/// Instructions of one request, in user space and in the kernel.
#[derive(Clone, Copy, Debug)]
struct Cost {
    user: f64,
    kernel: f64,
}

impl Cost {
    fn total(self) -> f64 {
        self.user + self.kernel
    }
}

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
    println!("\n| scenario | proxy | user | kernel | instructions a request | ratio to nginx |");
    println!("|---|---|---:|---:|---:|---:|");
    for scenario in SCENARIOS {
        let mut least: [Option<Cost>; 2] = [None, None];
        for _ in 0..arguments.rounds {
            for (best, proxy) in least.iter_mut().zip(&bench.proxies) {
                let cost = measure(scenario, proxy, arguments.requests, bench.folder())?;
                *best = Some(best.filter(|best| best.total() <= cost.total()).unwrap_or(cost));
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

fn print(scenario: &Scenario, proxies: &[Proxy; 2], least: [Option<Cost>; 2]) {
    let nginx = least[0].map_or(f64::NAN, Cost::total);
    for (proxy, cost) in proxies.iter().zip(least) {
        let Some(cost) = cost else { continue };
        println!(
            "| {} {} | {} | {:.0} | {:.0} | {:.0} | {:.2} |",
            scenario.name,
            scenario.title,
            proxy.name,
            cost.user,
            cost.kernel,
            cost.total(),
            cost.total() / nginx
        );
    }
}

/// One round: a warm-up, then the load while perf counts the proxy's instructions.
fn measure(scenario: &Scenario, proxy: &Proxy, requests: usize, folder: &Path) -> Result<Cost> {
    let url = proxy.url(scenario.tls);
    load(scenario, &url, requests / 10)?;
    let counts = folder.join("perf.csv");
    let pids = proxy.workers()?.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut perf = Command::new("perf")
        .args(["stat", "-x,", "-e", "instructions:u,instructions:k", "-p", &pids, "-o"])
        .arg(&counts)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start perf")?;
    // perf is counting once it has attached; a first load that is not counted in full would show as too cheap.
    wait_for_perf(&perf);
    let loaded = load(scenario, &url, requests);
    process::run_quietly(Command::new("kill").args(["-INT", &perf.id().to_string()]))?;
    perf.wait().context("perf did not end")?;
    loaded?;
    let text = fs::read_to_string(&counts).context("perf left no counts")?;
    let count = |event: &str| -> Result<f64> {
        let line = text
            .lines()
            .find(|line| line.contains(event))
            .with_context(|| format!("perf did not count {event}: {text}"))?;
        let number = line.split(',').next().unwrap_or_default();
        number.parse().with_context(|| format!("perf cannot count {event} here: {number}"))
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
    let requests = requests as f64;
    Ok(Cost { user: count("instructions:u")? / requests, kernel: count("instructions:k")? / requests })
}

/// Waits until perf has its counters open on the proxy.
fn wait_for_perf(perf: &std::process::Child) {
    let folder = format!("/proc/{}/fd", perf.id());
    for _ in 0..500 {
        let attached = fs::read_dir(&folder).into_iter().flatten().flatten().any(|entry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().contains("perf_event"))
        });
        std::thread::sleep(std::time::Duration::from_millis(10));
        if attached {
            return;
        }
    }
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
