//! PoPs and regions, each on a host of its own in a lab.

use nearside_tests::client::{Door, HOST};
use nearside_tests::edge::Setting;
use nearside_tests::wan::{Lab, Link};
use nearside_tests::{Edge, program};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long something may take that happens sooner or later, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(90);

/// An edge on each PoP, before a backend in each region. What runs on the hosts ends before they do.
pub(crate) struct World {
    edges: Vec<(String, Edge)>,
    _backends: Vec<Backend>,
    pub(crate) lab: Lab,
}

/// A sample backend on its region's host.
struct Backend(Child);

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Backend {
    fn start(lab: &Lab, region: &str) -> Self {
        let mut words = lab.on(region);
        words.push(program().into());
        let bind = format!("{}:80", lab.address(region));
        let (first, rest) = words.split_first().unwrap();
        let mut command = Command::new(first);
        command.args(rest).args(["sample", "--bind", &bind, "--name", region, "--region", region]);
        // It ends when its standard input does, should we be killed.
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl World {
    /// Starts all of them, with these probes, and `link` between each PoP and each region; `None` where no lab can be made.
    pub(crate) async fn start(
        pops: &[&str],
        regions: &[&str],
        probes: &str,
        link: impl Fn(&str, &str) -> Link,
    ) -> Option<Self> {
        let lab = Lab::start(&[pops, regions].concat())?;
        let backends = regions.iter().map(|region| Backend::start(&lab, region)).collect();
        let each =
            |line: &dyn Fn(&str) -> String| regions.iter().map(|region| line(region)).collect::<String>();
        let text = format!(
            "version: 1\nfleet: {{ name: nearside-test }}\nregions:\n{}defaults: {{ probe: {probes} }}\n\
             pools:\n  web:\n    select: {{ latency_tolerance: 0ms }}\n    backends:\n{}\
             routes:\n  - {{ host: {HOST}, pool: web }}\n",
            each(&|region| format!("  {region}: {{}}\n")),
            each(&|region| {
                let address = lab.address(region);
                format!("      - {{ id: {region}, url: \"http://{address}\", region: {region} }}\n")
            }),
        );
        let mut edges = Vec::new();
        for pop in pops {
            regions.iter().for_each(|region| lab.set(pop, region, link(pop, region)));
            let mut words = lab.on(pop);
            words.push(program().into());
            edges.push(((*pop).to_owned(), Setting::new().run_by(&words, &text).await));
        }
        Some(Self { edges, _backends: backends, lab })
    }

    fn edge(&self, pop: &str) -> &Edge {
        &self.edges.iter().find(|(name, _)| name == pop).unwrap().1
    }

    /// Runs `task` on the PoP's own host, with a client that keeps its connection.
    pub(crate) fn within<T: Send>(
        &self,
        pop: &str,
        task: impl AsyncFnOnce(reqwest::Client, Door) -> T + Send,
    ) -> T {
        let door = self.edge(pop).door();
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = door.client(false).timeout(PATIENCE).build().unwrap();
                task(client, door).await
            })
        };
        tokio::task::block_in_place(|| self.lab.within(pop, run))
    }

    /// The regions that answer so many requests, one after the other.
    pub(crate) fn answers(&self, pop: &str, count: usize) -> Vec<String> {
        self.within(pop, async |client, door| {
            let mut regions = Vec::new();
            for _ in 0..count {
                let answer = client.get(door.url("/")).send().await.unwrap();
                let region =
                    answer.headers().get("x-sample-region").map(|region| region.to_str().unwrap().to_owned());
                regions.push(region.unwrap_or_else(|| answer.status().to_string()));
            }
            regions
        })
    }

    /// Waits until the PoP sends all of twenty requests to `region`.
    pub(crate) async fn goes_to(&self, pop: &str, region: &str) {
        let look = || self.answers(pop, 20).iter().all(|answer| answer == region).then_some(());
        self.patiently(&format!("{pop} to go to {region}"), look, || format!("{:?}", self.round_trips(pop)))
            .await;
    }

    /// What the PoP knows of its backends.
    fn backends(&self, pop: &str) -> Vec<Value> {
        self.edge(pop).status()["backends"].as_array().unwrap().clone()
    }

    /// The round trip in milliseconds to each region to which the PoP has measured it.
    pub(crate) fn round_trips(&self, pop: &str) -> Vec<(String, f64)> {
        let backends = self.backends(pop);
        let measured = backends.iter().filter(|backend| backend["rtt_by"] == "measured");
        let each =
            |backend: &Value| Some((backend["region"].as_str()?.to_owned(), backend["rtt_ms"].as_f64()?));
        measured.filter_map(each).collect()
    }

    /// How many probes of the one that has passed the fewest have passed.
    pub(crate) fn probes_passed(&self, pop: &str) -> u64 {
        self.backends(pop).iter().map(|backend| backend["probes_passed"].as_u64().unwrap()).min().unwrap()
    }

    /// Waits until `look` finds something; fails with what `said` sees instead.
    pub(crate) async fn patiently<T>(
        &self,
        what: &str,
        look: impl Fn() -> Option<T>,
        said: impl Fn() -> String,
    ) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}: {}", said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
