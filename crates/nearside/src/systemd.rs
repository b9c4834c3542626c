//! The service manager: what systemd is told of this process (sd_notify(3)). Without one nothing happens.

use nearside_proxy::service::{Phase, Pulse, Shutdown};
use nearside_telemetry::field;
use sd_notify::NotifyState;
use std::env;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error};

/// Whether somebody listens.
pub(crate) fn is_there() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some_and(|path| !path.is_empty())
}

/// The process serves.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload has begun; [`ready`] ends it.
pub(crate) fn reloading() {
    // Type=notify-reload tells by the time which reload this is.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]);
    }
}

/// The end has begun, and takes so long at most.
pub(crate) fn stopping(longest: Duration) {
    let micros = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros),
        NotifyState::Status("ending: what is in flight may end"),
    ]);
}

/// Another process is the main one from now on.
pub(crate) fn main_pid(pid: u32) {
    tell(&[NotifyState::MainPid(pid), NotifyState::Status("upgraded")]);
}

/// Gives signs of life as often as the manager wants them, for as long as all workers do, until this process is not
/// the main one any more.
pub(crate) async fn live(pulse: &Pulse, shutdown: &Shutdown) {
    let Some(longest) = sd_notify::watchdog_enabled() else { return };
    // Before, a predecessor is the main process, and systemd listens to no other.
    shutdown.reached(Phase::Running).await;
    let half = (longest / 2).max(Duration::from_millis(1));
    let mut ticks = interval(half);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !shutdown.is_handed_over() && shutdown.phase() != Phase::Ended {
        ticks.tick().await;
        if pulse.beats(half).await {
            tell(&[NotifyState::Watchdog]);
        } else {
            error!("a worker is stuck: systemd gets no sign of life");
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(states) {
        debug!({ field::CAUSE } = %cause, "the service manager does not listen");
    }
}
