//! Faults: what is done to backends, or to a proxy, while a steady load runs, and what became of the load.
//!
//! Four sample backends stand in two tiers, each tier a region: `fra-a` and `fra-b`, then `iad-a` and `iad-b`. What a
//! client saw is compared with what the backends' ledgers say, so that a request which arrived twice is found, and
//! nobody's own account is believed. Other proxies take part through [`Proxy`], each in its own way.

pub mod account;
mod change;
mod crowd;
mod end;
mod envoy;
mod failing;
mod haproxy;
mod names;
mod nearside;
mod nginx;
mod peer;
pub mod proxy;
pub mod scene;
pub mod setup;
pub mod soak;

pub use account::Account;
pub use proxy::{Kind, Proxy};
pub use scene::{Pace, Stage};

/// A fault; [`Fault::ALL`] has them in the order of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// One backend is killed (SIGKILL).
    KillOne,
    /// One backend is stopped (SIGSTOP): it is connected to and answers nothing.
    StopOne,
    /// One backend's listener closes; what is connected is served.
    Refuse,
    /// One backend is killed and started again, each second.
    Flap,
    /// One backend answers 500 to everything, probes too.
    Errors,
    /// One backend answers 500 to everything but probes.
    HiddenErrors,
    /// One backend's answers come in slow pieces.
    Drip,
    /// The whole first tier is killed at once.
    KillTier,
    /// The whole first tier is stopped at once.
    StopTier,
    /// The whole first tier answers 500 to everything.
    ErrorsTier,
    /// The configuration is changed fifty times.
    Reloads,
    /// The configuration is replaced by one that is wrong.
    BadFile,
    /// The first region is marked drained.
    Drain,
    /// The mark is taken off again.
    Undrain,
    /// The certificate is replaced.
    Certificate,
    /// Another process takes the place of the running one.
    Upgrade,
    /// SIGTERM while ten answers are on their way and three WebSockets are open.
    Sigterm,
    /// Clients take every descriptor that the proxy may have.
    Descriptors,
    /// Thousands of connections are held that say nothing.
    Idle,
    /// The name server answers no more.
    NameServer,
}

impl Fault {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::KillOne,
        Self::StopOne,
        Self::Refuse,
        Self::Flap,
        Self::Errors,
        Self::HiddenErrors,
        Self::Drip,
        Self::KillTier,
        Self::StopTier,
        Self::ErrorsTier,
        Self::Reloads,
        Self::BadFile,
        Self::Drain,
        Self::Undrain,
        Self::Certificate,
        Self::Upgrade,
        Self::Sigterm,
        Self::Descriptors,
        Self::Idle,
        Self::NameServer,
    ];

    /// Its name on the command line and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KillOne => "kill-one",
            Self::StopOne => "stop-one",
            Self::Refuse => "refuse",
            Self::Flap => "flap",
            Self::Errors => "errors",
            Self::HiddenErrors => "hidden-errors",
            Self::Drip => "drip",
            Self::KillTier => "kill-tier",
            Self::StopTier => "stop-tier",
            Self::ErrorsTier => "errors-tier",
            Self::Reloads => "reloads",
            Self::BadFile => "bad-file",
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::Certificate => "certificate",
            Self::Upgrade => "upgrade",
            Self::Sigterm => "sigterm",
            Self::Descriptors => "descriptors",
            Self::Idle => "idle",
            Self::NameServer => "name-server",
        }
    }

    /// The fault of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }
}

/// Carries out one fault against one proxy, from a fresh start to the end; what became of the load.
///
/// # Panics
/// When the scene itself breaks: a process does not start, a configuration is never taken over.
pub async fn run(fault: Fault, stage: &Stage) -> Account {
    match fault {
        Fault::KillOne
        | Fault::StopOne
        | Fault::Refuse
        | Fault::Flap
        | Fault::Errors
        | Fault::HiddenErrors
        | Fault::Drip
        | Fault::KillTier
        | Fault::StopTier
        | Fault::ErrorsTier => failing::run(fault, stage).await,
        Fault::Reloads => change::reloads(stage).await,
        Fault::BadFile => change::bad_file(stage).await,
        Fault::Drain => change::drain(stage).await,
        Fault::Undrain => change::undrain(stage).await,
        Fault::Certificate => change::certificate(stage).await,
        Fault::Upgrade => change::upgrade(stage).await,
        Fault::Sigterm => end::sigterm(stage).await,
        Fault::Descriptors => crowd::descriptors(stage).await,
        Fault::Idle => crowd::idle(stage).await,
        Fault::NameServer => names::gone(stage).await,
    }
}

/// Why a fault cannot be carried out here with this proxy; `None` where it can.
#[must_use]
pub fn hindrance(fault: Fault, proxy: &Kind) -> Option<String> {
    match (fault, proxy) {
        (Fault::NameServer, _) => names::hindrance(),
        (Fault::Upgrade, Kind::Nginx(_)) => {
            Some("nginx replaces its program only as a daemon; here it is a child".to_owned())
        }
        _ => None,
    }
}
