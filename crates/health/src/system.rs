//! The system's resolver: `/etc/hosts`, `/etc/resolv.conf` and DNS.

use crate::name::{Answer, Resolver, Unresolved};
use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::time::Instant;

/// Asks as the system would.
pub struct SystemResolver(TokioResolver);

impl SystemResolver {
    /// Reads the system's settings. Without name servers only the hosts file and `localhost` have answers.
    ///
    /// # Errors
    /// When no resolver can be made of them.
    pub fn new() -> Result<Self, Unresolved> {
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(error = error.to_string(), "no name server settings");
            let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            TokioResolver::builder_with_config(none, TokioRuntimeProvider::default())
        });
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Always;
        // Answers are kept by whoever asks, for as long as they hold.
        options.cache_size = 0;
        let failed = |error: hickory_resolver::net::NetError| unresolved("", &error);
        Ok(Self(builder.build().map_err(failed)?))
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> Result<Answer, Unresolved> {
        let found = self.0.lookup_ip(host).await.map_err(|error| unresolved(host, &error))?;
        let ttl = found.valid_until().saturating_duration_since(Instant::now());
        Ok(Answer { addresses: found.iter().collect(), ttl })
    }
}

fn unresolved(host: &str, error: &dyn std::error::Error) -> Unresolved {
    Unresolved { host: host.into(), why: error.to_string().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_here() {
        let answer = SystemResolver::new().unwrap().resolve("localhost").await.unwrap();
        assert!(!answer.addresses.is_empty());
        assert!(answer.addresses.iter().all(std::net::IpAddr::is_loopback), "{answer:?}");
    }
}
