//! TLS towards the collector of traces.

use crate::clock::Clock;
use crate::pem;
use crate::problem::Problem;
use crate::provider::{Order, provider, versions};
use crate::trust::System;
use rustls::ClientConfig;
use std::path::Path;
use std::sync::Arc;

/// The configuration for a collector that these authorities sign, or those of the machine.
///
/// # Errors
/// What is wrong with the authorities.
pub fn collector(ca: Option<&Path>, clock: &Clock) -> Result<Arc<ClientConfig>, Problem> {
    const KEY_PATH: &str = "observe.tracing.ca";
    let roots = match ca {
        Some(path) => Arc::new(pem::authorities(KEY_PATH, path)?.0),
        None => System::default().roots(KEY_PATH)?.0,
    };
    let builder = ClientConfig::builder_with_details(provider(Order::AesFirst), Arc::new(clock.clone()));
    let builder = builder
        .with_protocol_versions(versions(false))
        .map_err(|cause| Problem::without_file(KEY_PATH, &cause.to_string(), "check `observe.tracing`"))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".into()];
    Ok(Arc::new(config))
}
