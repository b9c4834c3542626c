//! The policy of a pool.

use crate::document::{self, HostHeader as DocumentHost, RetryCause};
use nearside_core::BackendId;
use nearside_core::generation::Pool;
use nearside_core::policy::{
    Affinity, BackendTls, Connections, Failback, HostHeader, Passive, Probe, Retry, RetryWhen, Select, Share,
    Timeouts,
};

pub(super) fn pool(name: &str, pool: &document::Pool, first: BackendId, len: usize) -> Pool {
    Pool {
        name: name.into(),
        first,
        len,
        host_header: match &pool.host_header {
            DocumentHost::Preserve => HostHeader::Preserve,
            DocumentHost::Backend => HostHeader::Backend,
            DocumentHost::Literal(host) => HostHeader::Literal(host.0.clone()),
        },
        tls: tls(&pool.tls),
        probe: probe(&pool.probe),
        passive: Passive {
            consecutive_errors: pool.passive.consecutive_errors.0,
            eject_for: pool.passive.eject_for.0,
            max_ejected: Share::from_points(pool.passive.max_ejected.0),
        },
        select: Select {
            latency_tolerance: pool.select.latency_tolerance.0,
            balance: pool.select.balance.clone(),
            failover_below: Share::from_points(pool.select.failover_below.0),
            all_down: pool.select.all_down,
        },
        affinity: pool.affinity.as_ref().map(affinity),
        failback: Failback { hold: pool.failback.hold.0, ramp: pool.failback.ramp.0 },
        retry: retry(&pool.retry),
        timeouts: timeouts(&pool.timeouts),
        connections: Connections {
            protocol: pool.connections.protocol,
            keepalive: pool.connections.keepalive.0,
            max: pool.connections.max.0,
            max_pending: pool.connections.max_pending.0,
            prewarm: pool.connections.prewarm.0,
            proxy_protocol: pool.connections.proxy_protocol,
        },
        loop_limit: pool.loop_limit.0,
    }
}

fn affinity(affinity: &document::Affinity) -> Affinity {
    Affinity {
        cookie: affinity.cookie.name.0.clone(),
        ttl: affinity.cookie.ttl.0.map(|ttl| ttl.0),
        level: affinity.level,
        backup: affinity.backup,
    }
}

fn tls(tls: &document::BackendTls) -> BackendTls {
    BackendTls {
        sni: tls.sni.0.as_ref().map(|name| name.0.clone()),
        insecure: !tls.verify,
        ca: tls.ca.0.clone(),
        client: tls.client_cert.clone().zip(tls.client_key.clone()),
    }
}

fn probe(probe: &document::Probe) -> Probe {
    Probe {
        protocol: probe.protocol,
        method: probe.method.0.clone(),
        path: probe.path.0.clone(),
        host: probe.host.0.as_ref().map(|host| host.0.clone()),
        port: probe.port.0.and_then(|port| u16::try_from(port.0).ok()),
        headers: probe.headers.0.iter().map(|(name, value)| (name.0.clone(), value.0.clone())).collect(),
        expect: probe.expect.0.iter().map(|statuses| statuses.0.clone()).collect(),
        expect_body: probe.expect_body.as_ref().map(|text| text.0.clone()),
        interval: probe.interval.0,
        fast_interval: probe.fast_interval.0,
        timeout: probe.timeout.0,
        jitter: Share::from_points(probe.jitter.0),
        fall: probe.fall.0,
        rise: probe.rise.0,
    }
}

fn retry(retry: &document::Retry) -> Retry {
    let statuses = retry.when.iter().filter_map(|cause| match cause {
        RetryCause::Status(status) => Some(*status),
        RetryCause::Connect | RetryCause::Reset | RetryCause::Timeout => None,
    });
    Retry {
        max: retry.max.0,
        when: RetryWhen {
            connect: retry.when.contains(&RetryCause::Connect),
            reset: retry.when.contains(&RetryCause::Reset),
            timeout: retry.when.contains(&RetryCause::Timeout),
            statuses: statuses.collect(),
        },
        methods: retry.methods.iter().map(|method| method.0.clone()).collect(),
        budget_share: Share::from_points(retry.budget.share.0),
        budget_min: retry.budget.min.0,
        cross_region: retry.cross_region,
        body_buffer: usize::try_from(retry.body_buffer.0).unwrap_or(usize::MAX),
    }
}

fn timeouts(timeouts: &document::Timeouts) -> Timeouts {
    Timeouts {
        connect: timeouts.connect.0,
        response: timeouts.response.0,
        request: timeouts.request.map(|time| time.0),
        body_idle: timeouts.body_idle.0,
        stream_idle: timeouts.stream_idle.0,
        client_idle: timeouts.client_idle.0,
        client_header: timeouts.client_header.0,
        body_rate: timeouts.body_rate.0.into(),
        body_grace: timeouts.body_grace.0,
    }
}
