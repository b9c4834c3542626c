//! The check: one backend's probe as pingora's `HealthCheck`.

use crate::cell::Counted;
use crate::probe::{Outcome, Prober, Target};
use crate::view::{Entry, View};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use nearside_core::policy::{Probe, ProbeProtocol};
use nearside_core::{BackendId, Verdict};
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddr;
use pingora_core::{Error, ErrorType};
use pingora_load_balancing::health_check::HealthCheck;
use pingora_load_balancing::{Backend, Extensions};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Which backend of which view a check is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) view: Arc<View>,
    pub(crate) id: BackendId,
}

impl Subject {
    pub(crate) fn entry(&self) -> Option<&Entry> {
        self.view.entries.get(self.id.index())
    }

    pub(crate) fn probe(&self) -> Option<&Probe> {
        self.view.pool_of(self.id).map(|pool| &pool.probe)
    }

    /// Whether `other` is probed in the same way at the same place, so that its task need not begin anew.
    pub(crate) fn same_probe(&self, other: &Self) -> bool {
        let facts = |subject: &Self| {
            let backend = subject.view.generation.backend(subject.id)?.endpoint.clone();
            let pool = subject.view.pool_of(subject.id)?;
            Some((backend, pool.probe.clone(), pool.tls.clone(), pool.connections.protocol))
        };
        facts(self) == facts(other)
    }
}

/// Checks one backend. The subject is exchanged when a new generation leaves its probe as it is.
pub(crate) struct Check {
    subject: ArcSwap<Subject>,
    prober: Arc<dyn Prober>,
}

impl Check {
    pub(crate) fn new(subject: Subject, prober: Arc<dyn Prober>) -> Self {
        Self { subject: ArcSwap::from_pointee(subject), prober }
    }

    pub(crate) fn subject(&self) -> Arc<Subject> {
        self.subject.load_full()
    }

    pub(crate) fn follow(&self, subject: Subject) {
        self.subject.store(Arc::new(subject));
    }

    /// One round: probes, counts, and turns the verdict when it is time. `asked_for`: because requests hang.
    pub(crate) async fn round(&self, asked_for: bool) -> Counted {
        let subject = self.subject();
        let Some(entry) = subject.entry() else { return Counted::Confirms };
        let addresses = entry.name.addresses();
        let backend = as_peer(&addresses);
        let passed = self.check(&backend).await.is_ok();
        let threshold = u32::try_from(self.health_threshold(passed)).unwrap_or(u32::MAX);
        let counted = entry.cell.count(passed, threshold);
        if counted == Counted::Turns {
            self.health_status_change(&backend, passed).await;
        }
        // A new generation may have come while the probe was under way, with other ids.
        let latest = self.subject();
        latest.view.look_again(latest.id);
        if passed && (asked_for || entry.cell.is_doubted()) {
            latest.view.refuted(latest.id);
        }
        counted
    }

    async fn outcome(&self, subject: &Subject) -> Outcome {
        let (Some(entry), Some(probe)) = (subject.entry(), subject.probe()) else {
            return Outcome::Failed("no such backend".to_owned());
        };
        let resolved = entry.name.addresses();
        if resolved.is_empty() && !entry.name.is_socket() {
            return Outcome::Failed(entry.name.error().unwrap_or_else(|| "no address".to_owned()));
        }
        let port = |address: &SocketAddr| SocketAddr::new(address.ip(), probe.port.unwrap_or(address.port()));
        let addresses = resolved.iter().map(port).collect();
        let target = Target { generation: Arc::clone(&subject.view.generation), id: subject.id, addresses };
        let prober = Arc::clone(&self.prober);
        // In a task of its own, so that a prober that panics costs one probe and not the watch over a backend.
        let mut task = JoinSet::new();
        task.spawn(async move { prober.probe(&target).await });
        match timeout(probe.timeout, task.join_next()).await {
            Ok(Some(Ok(outcome))) => outcome,
            Ok(_) => Outcome::Failed("the probe broke off".to_owned()),
            Err(_) => Outcome::Failed(format!("no answer within {} ms", probe.timeout.as_millis())),
        }
    }
}

#[async_trait]
impl HealthCheck for Check {
    async fn check(&self, _target: &Backend) -> pingora_core::Result<()> {
        let subject = self.subject();
        let outcome = self.outcome(&subject).await;
        let (Some(entry), now) = (subject.entry(), subject.view.now()) else { return Ok(()) };
        match outcome {
            Outcome::Passed { rtt, .. } => {
                entry.cell.observe_rtt(rtt, now);
                entry.cell.story().probes_passed += 1;
                Ok(())
            }
            Outcome::Failed(text) => {
                let mut story = entry.cell.story();
                story.probes_failed += 1;
                story.last_error = Some((now, text.as_str().into()));
                Err(Error::explain(ErrorType::Custom("ProbeFailed"), text))
            }
        }
    }

    async fn health_status_change(&self, _target: &Backend, healthy: bool) {
        let subject = self.subject();
        let (Some(entry), Some(probe)) = (subject.entry(), subject.probe()) else { return };
        let (verdict, evidence) = {
            let story = entry.cell.story();
            let last = story.last_error.as_ref().map_or("", |(_, text)| text);
            if healthy {
                (Verdict::Healthy, format!("{} passed in a row ({})", story.successes, kind(probe)))
            } else {
                let text = format!("{} failed in a row ({}), the last: {last}", story.fails, kind(probe));
                (Verdict::Unhealthy, text)
            }
        };
        subject.view.turned(subject.id, verdict, &evidence);
    }

    fn health_threshold(&self, success: bool) -> usize {
        let subject = self.subject();
        let threshold = subject.probe().map_or(1, |probe| if success { probe.rise } else { probe.fall });
        usize::try_from(threshold).unwrap_or(usize::MAX)
    }
}

fn kind(probe: &Probe) -> String {
    match probe.protocol {
        ProbeProtocol::Tcp => "TCP".to_owned(),
        ProbeProtocol::Auto | ProbeProtocol::Http | ProbeProtocol::Https => {
            format!("{} {}", probe.method, probe.path)
        }
    }
}

/// The backend as pingora names it: by its first address, or by the unspecified one while it has none.
fn as_peer(addresses: &[SocketAddr]) -> Backend {
    let unspecified = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
    let addr = PeerAddr::Inet(addresses.first().copied().unwrap_or(unspecified));
    Backend { addr, weight: 1, ext: Extensions::new() }
}
