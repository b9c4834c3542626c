//! The counters as families of metrics.

use crate::cells::{NO_REGION, parts};
use crate::counts::Times;
use crate::metrics::{BackendName, BackendSample, Book, Disbelieved, Names};
use nearside_core::{Reason, Verdict};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

/// Reads the book at each scrape.
#[derive(Debug)]
pub(crate) struct Exposition(pub(crate) Arc<Book>);

/// Stands where a label has nothing to say: no route matched, no backend was reached.
const NONE: &str = "-";
const CLASSES: [&str; 8] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx", "7xx"];

type Label<'a> = (&'static str, &'a str);

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut page = Page(&mut encoder);
        let names = self.0.names();
        self.requests(&names, &mut page)?;
        self.backends(&names, &mut page)?;
        connections(&names, &mut page)?;
        self.process(&names, &mut page)?;
        drop(names);
        let sampler = self.0.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = sampler.as_ref().map(|sampler| sampler()).unwrap_or_default();
        drop(sampler);
        sampled(&samples, &mut page)
    }
}

impl Exposition {
    fn requests(&self, names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
        let declared = names.routes.iter().map(|(id, cells)| (&**id, &**cells));
        let all = declared.chain([(NONE, &*self.0.no_route)]);
        let mut routes: Vec<_> = all.filter_map(|(id, cells)| Some((id, cells.touched()?))).collect();
        routes.sort_unstable_by_key(|(id, _)| *id);

        let requests = routes.iter().flat_map(|(id, cells)| {
            cells.requests.iter().map(move |(key, count)| {
                let (region, reason, class) = parts(key);
                let region = names.regions.get(usize::from(region)).filter(|_| region != NO_REGION);
                let labels = [
                    ("route", *id),
                    ("region", region.map_or(NONE, |name| name)),
                    ("reason", reason.map_or(NONE, Reason::name)),
                    ("status_class", CLASSES.get(usize::from(class)).copied().unwrap_or(NONE)),
                ];
                (labels, count)
            })
        });
        page.counters("requests", "Requests that have ended", requests)?;

        let bytes = routes.iter().flat_map(|(id, cells)| {
            [("in", &cells.bytes_in), ("out", &cells.bytes_out)].map(|(direction, count)| {
                ([("route", *id), ("direction", direction)], count.load(Ordering::Relaxed))
            })
        });
        page.counters("body_bytes", "Bytes of bodies from clients (in) and to clients (out)", bytes)?;
        let help = "From the request's head to the end of its answer";
        page.histograms(
            "request_duration_seconds",
            help,
            routes.iter().map(|(id, cells)| ([("route", *id)], &cells.total)),
        )?;

        let counts = Reason::ALL.iter().zip(self.0.decisions.0.iter());
        let decisions =
            counts.map(|(reason, count)| ([("reason", reason.name())], count.load(Ordering::Relaxed)));
        page.counters("decisions", "Reasons that decisions gave", decisions.filter(|(_, count)| *count > 0))
    }

    fn backends(&self, names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
        let mut backends: Vec<_> = names.backends.values().collect();
        backends.sort_unstable_by_key(|(name, _)| (&name.pool, &name.backend));
        let tries = backends.iter().flat_map(|(name, cells)| {
            cells.tries.iter().map(move |(key, count)| {
                let failed =
                    key.checked_sub(1).and_then(|index| Reason::ALL.get(usize::try_from(index).ok()?));
                let [pool, backend, region] = name.labels();
                ([pool, backend, region, ("result", failed.map_or("ok", |reason| reason.name()))], count)
            })
        });
        page.counters("tries", "Tries at backends, by how they ended", tries)?;
        let times = backends.iter().map(|(name, cells)| (name.labels(), &cells.first_byte));
        let help = "From the request's head to the first byte of the backend's answer";
        page.histograms("first_byte_seconds", help, times.filter(|(_, times)| times.read().1 > 0))
    }

    fn process(&self, names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let results = ["swapped", "unchanged", "refused"].into_iter().zip(&self.0.reloads);
        let reloads = results.map(|(result, count)| ([("result", result)], load(count)));
        page.counters("reloads", "Reloads, by how they ended", reloads)?;
        let claims = Disbelieved::LABELS.iter().zip(&self.0.disbelieved);
        let claims = claims.map(|((claim, why), count)| ([("claim", *claim), ("why", *why)], load(count)));
        let help = "What clients claim and is not believed";
        page.counters("disbelieved", help, claims.filter(|(_, count)| *count > 0))?;
        let dropped = ConstCounter::new(load(&self.0.lines_dropped));
        page.alone("log_lines_dropped", "Lines of the access log that were lost", &dropped)?;
        let lost = ConstCounter::new(load(&self.0.journal_lost));
        page.alone("journal_lines_lost", "Lines of the journal and its evidence that were lost", &lost)?;
        if names.stamp.is_empty() {
            return Ok(());
        }
        let help = "The live generation";
        page.alone("generation", help, &Info::new(vec![("generation", names.stamp.clone())]))?;
        let number = ConstGauge::new(names.number);
        page.alone("generation_number", "The live generation's number", &number)?;
        let drained =
            names.drained.iter().map(|(region, drained)| ([("region", &**region)], u64::from(*drained)));
        page.gauges("region_drained", "1 where a region is marked drained", drained)
    }
}

fn connections(names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
    let listeners: Vec<_> = names.listeners.iter().map(|(bind, cells)| (bind.to_string(), cells)).collect();
    let open =
        listeners.iter().map(|(bind, cells)| ([("listener", &**bind)], cells.open.load(Ordering::Relaxed)));
    page.gauges("connections_open", "Client connections that are open", open)?;
    let accepted = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.accepted.load(Ordering::Relaxed)));
    page.counters("connections", "Client connections that were accepted", accepted)?;
    let failed = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.handshakes_failed.load(Ordering::Relaxed)));
    page.counters("handshakes_failed", "TLS handshakes that came to nothing", failed)?;
    let refused = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.refused.load(Ordering::Relaxed)));
    page.counters("connections_refused", "Connections that were one too many of their address", refused)?;
    let unbelieved = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.unbelieved.load(Ordering::Relaxed)));
    page.counters("clients_unbelieved", "Addresses of clients said by who is not trusted", unbelieved)
}

fn sampled(samples: &[BackendSample], page: &mut Page<'_, '_>) -> fmt::Result {
    let verdicts = samples.iter().flat_map(|sample| {
        [Verdict::Healthy, Verdict::Unhealthy, Verdict::Unknown].map(|verdict| {
            let [pool, backend, region] = sample.labels();
            ([pool, backend, region, ("verdict", verdict.name())], u64::from(sample.verdict == verdict))
        })
    });
    page.gauges("backend_verdict", "1 at the verdict that a backend has", verdicts)?;
    let ejected = samples.iter().map(|sample| (sample.labels(), u64::from(sample.ejected)));
    page.gauges("backend_ejected", "1 where live evidence has removed a backend", ejected)?;
    let in_flight = samples.iter().map(|sample| (sample.labels(), u64::from(sample.in_flight)));
    page.gauges("backend_in_flight", "Requests that a backend is answering", in_flight)?;
    let connections = samples.iter().flat_map(|sample| {
        [("idle", sample.idle), ("busy", sample.connections.saturating_sub(sample.idle))].map(
            |(state, count)| {
                let [pool, backend, region] = sample.labels();
                ([pool, backend, region, ("state", state)], u64::from(count))
            },
        )
    });
    page.gauges(
        "backend_connections",
        "Open connections to a backend, by whether requests use them",
        connections,
    )?;
    let rtt =
        samples.iter().filter_map(|sample| Some((sample.labels(), f64::from(sample.rtt_micros?) / 1e6)));
    page.gauges("backend_rtt_seconds", "Round trip from this PoP to a backend", rtt)?;
    let probes = samples.iter().flat_map(|sample| {
        [("ok", sample.probes_ok), ("failed", sample.probes_failed)].map(|(result, count)| {
            let [pool, backend, region] = sample.labels();
            ([pool, backend, region, ("result", result)], count)
        })
    });
    page.counters("probes", "Probes, by result", probes)
}

impl BackendName {
    fn labels(&self) -> [Label<'_>; 3] {
        [("pool", &*self.pool), ("backend", &*self.backend), ("region", &*self.region)]
    }
}

impl BackendSample {
    fn labels(&self) -> [Label<'_>; 3] {
        [("pool", &*self.pool), ("backend", &*self.backend), ("region", &*self.region)]
    }
}

/// Families, one after another; one without a sample is left out.
struct Page<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Page<'_, '_> {
    fn counters<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (S, u64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family((name, help, MetricType::Counter), samples)
    }

    fn gauges<S: EncodeLabelSet, N>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (S, N)>,
    ) -> fmt::Result
    where
        ConstGauge<N>: EncodeMetric,
    {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family((name, help, MetricType::Gauge), samples)
    }

    fn histograms<'t, S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (S, &'t Times)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, times) in samples {
            let (sum, count, buckets) = times.read();
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    /// A family of one sample without labels.
    fn alone(&mut self, name: &str, help: &str, value: &impl EncodeMetric) -> fmt::Result {
        value.encode(self.0.encode_descriptor(name, help, None, value.metric_type())?)
    }

    fn family<S: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        (name, help, kind): (&str, &str, MetricType),
        samples: impl Iterator<Item = (S, M)>,
    ) -> fmt::Result {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in samples {
            value.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
