//! The families of metrics: the one table that the scrape, the documentation and the tests read.

/// A family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Family {
    /// Its name without the prefix `nearside_`, and without the suffix that its kind brings.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What is counted or measured, in words.
    pub unit: &'static str,
    /// The labels of each sample.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// What a family is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It only grows; its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Buckets, a sum and a count.
    Histogram,
    /// Always 1; its labels say what there is to say, and its name ends in `_info`.
    Info,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

impl Family {
    /// The names of its samples, as queries have them.
    #[must_use]
    pub fn samples(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
            Kind::Info => &["_info"],
        };
        suffixes.iter().map(|suffix| format!("nearside_{}{suffix}", self.name)).collect()
    }
}

macro_rules! families {
    ($($name:ident: $kind:ident $text:literal in $unit:literal by [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub(crate) const $name: Family =
                Family { name: $text, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], help: $help };
        )*

        /// Every family, in the order of a scrape.
        pub const ALL: &[Family] = &[$($name,)*];
    };
}

families! {
    REQUESTS: Counter "requests" in "requests" by ["route", "region", "reason", "status_class"] "Requests that have ended";
    BODY_BYTES: Counter "body_bytes" in "bytes" by ["route", "direction"] "Bytes of bodies from clients (in) and to clients (out)";
    REQUEST_DURATION: Histogram "request_duration_seconds" in "seconds" by ["route"] "From the request's head to the end of its answer";
    DECISIONS: Counter "decisions" in "decisions" by ["reason"] "Reasons that decisions gave";
    TRIES: Counter "tries" in "tries" by ["pool", "backend", "region", "result"] "Tries at backends, by how they ended";
    FIRST_BYTE: Histogram "first_byte_seconds" in "seconds" by ["pool", "backend", "region"] "From the request's head to the first byte of the backend's answer";
    CONNECTIONS_OPEN: Gauge "connections_open" in "connections" by ["listener"] "Client connections that are open";
    CONNECTIONS: Counter "connections" in "connections" by ["listener"] "Client connections that were accepted";
    HANDSHAKES_FAILED: Counter "handshakes_failed" in "handshakes" by ["listener"] "TLS handshakes that came to nothing";
    CONNECTIONS_REFUSED: Counter "connections_refused" in "connections" by ["listener"] "Connections that were one too many of their address";
    CLIENTS_UNBELIEVED: Counter "clients_unbelieved" in "addresses" by ["listener"] "Addresses of clients said by who is not trusted";
    RELOADS: Counter "reloads" in "reloads" by ["result"] "Reloads, by how they ended";
    DISBELIEVED: Counter "disbelieved" in "claims" by ["claim", "why"] "What clients claim and is not believed";
    LOG_LINES_DROPPED: Counter "log_lines_dropped" in "lines" by [] "Lines of the access log that were lost";
    JOURNAL_LINES_LOST: Counter "journal_lines_lost" in "lines" by [] "Lines of the journal and its evidence that were lost";
    SPANS: Counter "spans" in "spans" by ["fate"] "Spans of traced requests, by what became of them";
    GENERATION: Info "generation" in "" by ["generation"] "The live generation";
    GENERATION_NUMBER: Gauge "generation_number" in "generations" by [] "The live generation's number";
    REGION_DRAINED: Gauge "region_drained" in "0 or 1" by ["region"] "1 where a region is marked drained";
    DRAIN_ACTIVE: Gauge "drain_active" in "0 or 1" by ["kind", "target"] "1 at each region and backend that is marked drained";
    CERTIFICATE_EXPIRY: Gauge "certificate_expiry_timestamp_seconds" in "seconds since 1970" by ["file"] "When a certificate expires";
    BACKEND_VERDICT: Gauge "backend_verdict" in "0 or 1" by ["pool", "backend", "region", "verdict"] "1 at the verdict that a backend has";
    BACKEND_EJECTED: Gauge "backend_ejected" in "0 or 1" by ["pool", "backend", "region"] "1 where live evidence has removed a backend";
    BACKEND_IN_FLIGHT: Gauge "backend_in_flight" in "requests" by ["pool", "backend", "region"] "Requests that a backend is answering";
    BACKEND_CONNECTIONS: Gauge "backend_connections" in "connections" by ["pool", "backend", "region", "state"] "Open connections to a backend, by whether requests use them";
    BACKEND_RTT: Gauge "backend_rtt_seconds" in "seconds" by ["pool", "backend", "region"] "Round trip from this PoP to a backend";
    BACKEND_ROUND_TRIP: Histogram "backend_round_trip_seconds" in "seconds" by ["pool", "backend", "region"] "Round trips to a backend as they were measured, by handshakes and by kept connections; those that decisions are told are smoothed";
    PROBES: Counter "probes" in "probes" by ["pool", "backend", "region", "result"] "Probes, by result";
    REGION_IN_FLIGHT: Gauge "region_in_flight" in "requests" by ["region"] "Requests that a region is answering for this PoP";
    REGION_USABLE: Gauge "region_usable_backends" in "backends" by ["region"] "Backends of a region that may get requests now";
    REGION_OFFERED: Gauge "region_offered_per_second" in "requests a second" by ["region"] "What a region would get from this PoP if it could carry everything; where a capacity is declared";
    REGION_CAPACITY: Gauge "region_capacity_per_second" in "requests a second" by ["region"] "This PoP's share of a region's declared capacity";
    REGION_SHED: Gauge "region_shed_per_second" in "requests a second" by ["region"] "What of the offered load is above this PoP's share of the capacity, and goes elsewhere where it can";
    REGION_HEADROOM: Gauge "region_headroom_per_second" in "requests a second" by ["region"] "What of this PoP's share of the capacity is left";
}

/// The documentation of all of them.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# Metrics\n\nGenerated from the table in `crates/telemetry/src/family.rs`. `/metrics` of the admin interface has them in the OpenMetrics\n\
         format; every label is a word of `routes.yaml` or of ours, and no client mints one. Counters and histograms begin at 0 with the\n\
         process. A family without a sample is left out of the page.\n\n\
         | Name | Type | Unit | Labels | Says |\n|---|---|---|---|---|\n",
    );
    for family in ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let name = match family.kind {
            // A query asks for the parts; people look for the whole.
            Kind::Histogram => format!("nearside_{}", family.name),
            Kind::Counter | Kind::Gauge | Kind::Info => family.samples().concat(),
        };
        let line = [
            name,
            family.kind.name().to_owned(),
            family.unit.to_owned(),
            labels.join(", "),
            family.help.to_owned(),
        ];
        let [name, kind, unit, labels, help] = line;
        text.push_str(&format!("| `{name}` | {kind} | {unit} | {labels} | {help} |\n"));
    }
    text.push_str(
        "\n`reason` is one of the decision's reasons, the same as in the access log and in `explain`. `status_class` is `2xx` and so on, or \
         `none`\nwhere the client got no answer. `-` stands where there is nothing to say: no route matched, no backend was reached.\n\n\
         [deploy/prometheus](../deploy/prometheus) has alert rules with their tests, [deploy/grafana](../deploy/grafana) a dashboard, and\n\
         [deploy/autoscale](../deploy/autoscale) what KEDA or an HPA can scale a region's backends by.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_follow_the_conventions() {
        let mut seen = HashSet::new();
        for family in ALL {
            assert!(seen.insert(family.name), "{} stands there twice", family.name);
            assert!(
                family.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{}",
                family.name
            );
            assert!(!family.name.ends_with("_total") && !family.name.ends_with("_info"), "{}", family.name);
            let is_time = family.name.ends_with("_seconds");
            assert_eq!(is_time, family.unit.starts_with("seconds"), "{}: {}", family.name, family.unit);
            assert!(!family.help.is_empty() && !family.help.ends_with('.'), "{}", family.name);
        }
    }

    #[test]
    fn the_documentation_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/METRICS.md");
        if std::env::var_os("RECORD").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            found,
            document(),
            "RECORD=1 cargo test --workspace --lib the_documentation_is_the_table writes it anew"
        );
    }
}
