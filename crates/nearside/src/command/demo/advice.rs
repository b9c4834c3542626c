//! The advice: what to try next, as lines that do what they say when they are copied.

use super::cast::Part;
use super::quoted;
use crate::out;
use crate::share::{Example, Examples};
use nearside_core::generation::{Listener, ListenerKind};
use nearside_core::{Generation, PoolId};
use nearside_proxy::live::Live;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// What the lines are made of.
pub(super) struct Advice {
    /// This program, as one would type it.
    pub(super) program: String,
    /// The file.
    pub(super) file: PathBuf,
    /// The state folder, as one would type it.
    pub(super) state: String,
    /// The access log, as one would type it.
    pub(super) access: String,
    /// The sample backends.
    pub(super) cast: Vec<Part>,
    /// How far the regions are.
    pub(super) round_trips: HashMap<String, Duration>,
    /// Where the demo pretends to be.
    pub(super) place: String,
}

impl Advice {
    /// The whole text.
    pub(super) fn tell(&self, live: &Live) -> String {
        let mut text =
            format!("\nnearside serves {}, generation {}\n\n", self.file.display(), live.prepared.stamp);
        text.push_str(&format!("{}\nTry, in a second terminal in this folder:\n\n", self.distances()));
        for (what, line, then) in self.lines(live) {
            text.push_str(&format!("  {what:<8} {line}\n"));
            if !then.is_empty() {
                text.push_str(&format!("  {:<8}   {then}\n", ""));
            }
        }
        text.push_str("\nCtrl-C ends it.\n\n");
        text
    }

    fn distances(&self) -> String {
        let mut table = out::table(&["sample backend", "region", "round trip", "pid"]);
        for part in &self.cast {
            let distance = self.round_trips.get(&part.region);
            let distance = distance
                .map_or_else(|| "-".to_owned(), |rtt| format!("{:.0} ms", rtt.as_secs_f64() * 1000.0));
            table.add_row([part.key.clone(), part.region.clone(), distance, part.pid.to_string()]);
        }
        out::draw(&mut table)
    }

    fn lines(&self, live: &Live) -> Vec<(&'static str, String, String)> {
        let generation = &live.generation;
        let Some((example, nearest)) = example(live) else { return Vec::new() };
        let (program, state) = (&self.program, &self.state);
        let file = self.file.display().to_string();
        let (named, file) = match file.as_str() {
            "routes.yaml" => (String::new(), file),
            other => (format!(" --file {}", quoted(other)), quoted(other)),
        };
        let mut lines = vec![
            (
                "ask",
                curl(live, &example),
                "the nearest healthy backend answers and says who it is".to_owned(),
            ),
            ("look", format!("{program} status --state-dir {state}"), String::new()),
            (
                "why",
                format!(
                    "{program} explain --host {}{} --place {}{named}",
                    example.host,
                    path_argument(&example),
                    quoted(&self.place)
                ),
                String::new(),
            ),
        ];
        let backend = generation.backend(nearest);
        if let Some(region) = backend.and_then(|backend| generation.region(backend.region)) {
            let drain = format!(
                "{program} drain {} --reason \"kernel rollout\" --state-dir {state}{named}",
                region.name
            );
            lines.push((
                "drain",
                drain,
                format!(
                    "the next request goes elsewhere; `{program} undrain {} --state-dir {state}{named}` takes it back",
                    region.name
                ),
            ));
        }
        let key = backend.map(|backend| backend.key.to_string());
        if let Some(part) = self.cast.iter().find(|part| Some(&part.key) == key.as_ref()) {
            let then = format!("{} is gone; ask again: nothing fails, another one answers", part.key);
            lines.push(("kill", format!("kill {}", part.pid), then));
        }
        let then = format!(
            "`status` says what is wrong with line and column, and what ran runs on; sed -i '$d' {file} repairs it"
        );
        lines.push(("break", format!("echo 'rutes: []' >> {file}"), then));
        lines.push(("watch", format!("tail -f {}", self.access), String::new()));
        lines
    }
}

/// A request for the pool with the most backends, and where it would go now.
fn example(live: &Live) -> Option<(Example, nearside_core::BackendId)> {
    let generation: &Generation = &live.generation;
    let largest =
        generation.pools.iter().enumerate().max_by_key(|(index, pool)| (pool.len, usize::MAX - index))?.0;
    let example = Examples::of(generation).take(PoolId::new(largest))?;
    let backend = example.decide(generation, &*live.evidence, live.evidence.now(), 0)?;
    Some((example, backend))
}

fn path_argument(example: &Example) -> String {
    if example.path == "/" { String::new() } else { format!(" --path {}", quoted(&example.path)) }
}

/// The client's line: the authority that signs here, the address where the name leads nowhere.
fn curl(live: &Live, example: &Example) -> String {
    let listeners = &live.generation.listeners;
    let serves = |listener: &&Listener| match listener.kind {
        ListenerKind::Tls { .. } | ListenerKind::Plain => true,
        ListenerKind::RedirectHttps { .. } => false,
    };
    let tls = listeners.iter().find(|listener| matches!(listener.kind, ListenerKind::Tls { .. }));
    let Some(listener) = tls.or_else(|| listeners.iter().find(serves)) else { return String::new() };
    let mut line = "curl".to_owned();
    if let Some(authority) = live.certificates.authority_file() {
        line.push_str(&format!(" --cacert {}", super::short(authority)));
    }
    let port = listener.bind.port();
    if example.host != "localhost" {
        let address = match listener.bind.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            ip => ip.to_string(),
        };
        line.push_str(&format!(" --resolve {}:{port}:{address}", example.host));
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}:{port}{}", example.host, example.path);
    line.push_str(&format!(" {}", quoted(&url)));
    line
}
