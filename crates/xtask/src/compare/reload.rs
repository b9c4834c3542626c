//! A reload beside traffic: how long until the new configuration answers, and what became of the requests meanwhile.

use super::proxy::{Proxy, Shape};
use super::setup::Setup;
use super::table::Cost;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Milliseconds from the signal to the first answer of the new configuration, of the same shape as the one before, and how
/// many of so many requests failed beside it; `None` where the proxy has no such signal.
///
/// # Errors
/// When the new configuration never answers.
pub(super) fn measure(setup: &Setup, proxy: &Proxy, shape: Shape, requests: usize) -> Result<Option<Cost>> {
    let mut load = Command::new("h2load");
    load.args(["--h1", "-c16", &format!("-n{requests}"), &proxy.url(false, "/")]).stdout(Stdio::piped());
    let load = (requests > 0).then(|| load.spawn()).transpose().context("cannot start h2load")?;
    let marker = shape.marker + 1;
    let changed = proxy.reload(setup, Shape { marker, ..shape })?;
    let begin = Instant::now();
    let took = if changed { Some(until(proxy, marker, begin)?) } else { None };
    let remark = match load {
        Some(load) => account(load, requests)?,
        None => None,
    };
    Ok(took.map(|took| Cost { figure: took.as_secs_f64() * 1000.0, remark }))
}

/// The quickest of several reloads, with what was lost in any of them.
pub(super) fn least(costs: Vec<Cost>) -> Option<Cost> {
    let lost = costs.iter().find_map(|cost| cost.remark.clone());
    let least = costs.into_iter().min_by(|one, other| one.figure.total_cmp(&other.figure))?;
    Some(Cost { remark: lost, ..least })
}

/// What became of the load's requests, if not all of them succeeded.
fn account(load: Child, requests: usize) -> Result<Option<String>> {
    let told = load.wait_with_output().context("h2load did not end")?;
    let told = String::from_utf8_lossy(&told.stdout);
    let whole = told.contains(&format!("{requests} succeeded, 0 failed"));
    Ok(remark(whole, &told))
}

fn remark(whole: bool, told: &str) -> Option<String> {
    let line =
        told.lines().find(|line| line.starts_with("requests:")).unwrap_or("no account of the requests");
    let failed = line.split(", ").filter(|part| part.ends_with(" failed") || part.ends_with(" errored"));
    (!whole).then(|| failed.collect::<Vec<_>>().join(", "))
}

/// Asks on a fresh connection each time, as a kept one may lawfully stay with the old configuration.
fn until(proxy: &Proxy, marker: u32, begin: Instant) -> Result<Duration> {
    let wanted = format!("marker {marker}.");
    while begin.elapsed() < Duration::from_secs(60) {
        if ask(proxy).is_ok_and(|answer| answer.contains(&wanted)) {
            return Ok(begin.elapsed());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("{} never answered from its new configuration", proxy.name)
}

fn ask(proxy: &Proxy) -> Result<String> {
    let mut stream = TcpStream::connect(proxy.address(false))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /marker HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_several_hides_no_loss() {
        let cost = |figure, lost: Option<&str>| Cost { figure, remark: lost.map(str::to_owned) };
        let all = vec![cost(90.0, None), cost(120.0, Some("1 failed")), cost(80.0, None)];
        assert_eq!(least(all), Some(cost(80.0, Some("1 failed"))));
        assert_eq!(least(Vec::new()), None);
    }

    #[test]
    fn only_lost_requests_are_remarked() {
        let told = "requests: 9 total, 9 started, 9 done, 7 succeeded, 2 failed, 1 errored, 0 timeout\n";
        assert_eq!(remark(false, told).as_deref(), Some("2 failed, 1 errored"));
        assert_eq!(remark(true, told), None);
    }
}
