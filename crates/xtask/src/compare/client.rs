//! The clients of a comparison: each sends a bounded load and vouches that every request succeeded.

use super::proxy::Proxy;
use super::scenario::{Load, Scenario};
use super::setup::{HOSTS, Setup};
use crate::process;
use anyhow::{Result, bail};
use std::process::Command;

/// The client's programs and files.
pub(super) struct Client<'a> {
    pub(super) setup: &'a Setup,
}

impl Client<'_> {
    /// Sends `requests` requests of the scenario.
    ///
    /// # Errors
    /// When one of them fails.
    pub(super) fn send(&self, scenario: &Scenario, proxy: &Proxy, requests: usize) -> Result<()> {
        match &scenario.load {
            Load::Kept(arguments, path) => {
                let url = proxy.url(scenario.tls, path);
                h2load(Command::new("h2load").args(*arguments).arg(url), requests)
            }
            Load::Upload(arguments) => {
                let mut command = Command::new("h2load");
                command.args(*arguments).arg("-d").arg(self.setup.path("megabyte"));
                h2load(command.arg(proxy.url(scenario.tls, "/upload")), requests)
            }
            Load::Hosts(arguments) => {
                let mut command = Command::new("h2load");
                command.args(*arguments).arg("--connect-to").arg(proxy.address(scenario.tls));
                h2load(command.arg("-i").arg(self.setup.path(HOSTS)), requests)
            }
            Load::Fresh { resumed } => {
                let mut command = Command::new(self.setup.tool("handshakes"));
                command.args([proxy.port(true).to_string(), requests.to_string()]);
                if *resumed {
                    command.arg("resumed");
                }
                process::run_quietly(&mut command)
            }
        }
    }
}

fn h2load(command: &mut Command, requests: usize) -> Result<()> {
    let told = process::output(command.arg(format!("-n{requests}")))?;
    let whole = format!("{requests} succeeded, 0 failed");
    if !told.contains(&whole) || !told.contains(&format!("status codes: {requests} 2xx")) {
        bail!("not every request succeeded with `{}`:\n{told}", process::spell(command));
    }
    Ok(())
}
