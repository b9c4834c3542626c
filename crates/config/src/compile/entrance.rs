//! The entrance and the process.

use crate::document::{self, CertificateEntry, LogPath, Profile, Redacted, TlsProtocol};
use nearside_core::generation::{
    AccessLog, CertificateSource, Checks, ClientIp, Journal, Limits, Listener, ListenerKind, LogFormat,
    LogWords, Observe, Shutdown, Tls, Tracing,
};
use nearside_core::policy::Share;

pub(super) fn listener(listener: &document::Listener) -> Listener {
    let offers = |protocol| listener.protocols.0.contains(&protocol);
    let kind = match &listener.redirect_https {
        Some(status) => ListenerKind::RedirectHttps { status: status.0 },
        None if !listener.tls => ListenerKind::Plain,
        None => ListenerKind::Tls {
            h2: offers(TlsProtocol::H2),
            h1: offers(TlsProtocol::Http11),
            client_ca: listener.client_ca.clone(),
        },
    };
    let declared = &listener.client_ip;
    let trusted = declared.trusted.iter().copied().collect();
    let client_ip = ClientIp { from: declared.from, header: declared.header, trusted };
    Listener { bind: listener.bind, kind, client_ip }
}

pub(super) fn limits(limits: &document::ClientLimits) -> Limits {
    Limits {
        connections_per_address: limits.connections_per_address.0,
        handshakes_per_address: limits.handshakes_per_address.0,
        queue_delay: limits.queue_delay.0,
    }
}

pub(super) fn tls(tls: &document::Tls) -> Tls {
    let source = |entry: &CertificateEntry| match entry {
        CertificateEntry::Pattern(path) => CertificateSource::Pattern(path.clone()),
        CertificateEntry::Pair(pair) => CertificateSource::Pair {
            cert: pair.cert.clone(),
            key: pair.key.clone(),
            hosts: pair.hosts.iter().map(|host| host.to_string().into()).collect(),
            default: pair.default,
        },
    };
    Tls {
        tls13_only: tls.profile == Profile::Tls13,
        certificates: tls.certificates.iter().map(source).collect(),
        self_signed: tls.self_signed,
    }
}

pub(super) fn shutdown(shutdown: &document::Shutdown) -> Shutdown {
    Shutdown { delay: shutdown.delay.0, deadline: shutdown.deadline.0 }
}

pub(super) fn observe(observe: &document::Observe) -> Observe {
    Observe {
        admin: observe.admin,
        admin_token: observe.admin_token.clone(),
        debug_from: observe.debug_from.iter().copied().collect(),
        access_log: access_log(&observe.access_log),
        journal: Journal { keep: observe.journal.keep.0 },
        tracing: observe.tracing.as_ref().map(tracing),
    }
}

fn tracing(tracing: &document::Tracing) -> Tracing {
    Tracing {
        endpoint: tracing.endpoint.endpoint.clone(),
        path: tracing.endpoint.path.clone(),
        sample: Share::from_points(tracing.sample.0),
        trusted: tracing.trusted.iter().copied().collect(),
        service: tracing.service.0.clone(),
        headers_file: tracing.headers_file.clone(),
        ca: tracing.ca.0.clone(),
        timeout: tracing.timeout.0,
        queue: usize::try_from(tracing.queue.0).unwrap_or(usize::MAX),
    }
}

fn access_log(log: &document::AccessLog) -> AccessLog {
    let says = |what| !log.redact.contains(&what);
    AccessLog {
        sample: Share::from_points(log.sample.0),
        format: log.format,
        path: match &log.path {
            LogPath::Stdout => None,
            LogPath::File(path) => Some(path.clone()),
        },
        words: LogWords {
            query: says(Redacted::Query),
            cookie: says(Redacted::Cookie),
            authorization: says(Redacted::Authorization),
            agent: log.format != LogFormat::Json,
        },
    }
}

pub(super) fn checks(checks: &document::Checks) -> Checks {
    let bound = &checks.failover_bound;
    Checks {
        failover_bound_above: bound.above.0,
        failover_bound: bound.then,
        region_loss_overload: checks.region_loss_overload,
    }
}
