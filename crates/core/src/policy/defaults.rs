//! The policy of a pool that says nothing of its own (SPEC, section 6): the one place in which it is written for
//! all who build a generation without a file. The definition of the file repeats it for its pages, and a test of
//! `nearside-config` holds the two together.

use super::{
    AllDown, Balance, Connections, Failback, Passive, Probe, ProbeProtocol, Protocol, Retry, RetryWhen,
    Select, Share, Timeouts,
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

impl Default for Probe {
    fn default() -> Self {
        Self {
            protocol: ProbeProtocol::Auto,
            method: "HEAD".into(),
            path: "/".into(),
            host: None,
            port: None,
            headers: Box::default(),
            expect: Box::new([200..=299]),
            expect_body: None,
            interval: SECOND * 5,
            fast_interval: SECOND,
            timeout: SECOND * 2,
            jitter: Share::from_points(1000),
            fall: 3,
            rise: 2,
        }
    }
}

impl Default for Passive {
    fn default() -> Self {
        Self { consecutive_errors: 5, eject_for: SECOND * 10, max_ejected: Share::from_points(5000) }
    }
}

impl Default for Select {
    fn default() -> Self {
        Self {
            latency_tolerance: Duration::from_millis(30),
            balance: Balance::P2c,
            failover_below: Share::default(),
            all_down: AllDown::TryAll,
        }
    }
}

impl Default for Failback {
    fn default() -> Self {
        Self { hold: SECOND * 60, ramp: SECOND * 300 }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max: 1,
            when: RetryWhen { connect: true, reset: true, ..RetryWhen::default() },
            methods: ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].map(Into::into).into(),
            budget_share: Share::from_points(2000),
            budget_min: 10,
            cross_region: true,
            body_buffer: 64 << 10,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: SECOND * 2,
            response: SECOND * 30,
            request: None,
            body_idle: SECOND * 30,
            stream_idle: SECOND * 300,
            client_idle: SECOND * 60,
            client_header: SECOND * 10,
            body_rate: 240,
            body_grace: SECOND * 10,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            protocol: Protocol::Auto,
            keepalive: SECOND * 55,
            max: 1024,
            max_pending: 1024,
            prewarm: 4,
            proxy_protocol: None,
        }
    }
}
