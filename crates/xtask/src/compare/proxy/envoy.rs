//! Envoy with one worker thread, from one static file.

use super::{Ports, Shape};
use crate::compare::setup::{ORIGIN, Setup, host};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

pub(super) fn configure(setup: &Setup, ports: Ports, shape: Shape) -> Result<()> {
    let text = json!({
        "node": { "id": "compare", "cluster": "compare" },
        "static_resources": {
            "listeners": [listener(setup, "plain", ports.plain, shape), listener(setup, "tls", ports.tls, shape)],
            "clusters": [{
                "name": "origin",
                "type": "STATIC",
                "connect_timeout": "5s",
                "load_assignment": {
                    "cluster_name": "origin",
                    "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(ORIGIN) } }] }],
                },
            }],
        },
    });
    setup.write("envoy.json", &text.to_string())
}

pub(super) fn command(program: &Path, setup: &Setup) -> Command {
    let mut command = Command::new(program);
    command.arg("-c").arg(setup.path("envoy.json"));
    command.args(["--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id"]);
    command
}

fn socket(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn listener(setup: &Setup, name: &str, port: u16, shape: Shape) -> Value {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "generate_request_id": false,
        "stream_idle_timeout": "300s",
        "route_config": { "name": "all", "virtual_hosts": hosts(shape) },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                "suppress_envoy_headers": true,
                "dynamic_stats": false,
            },
        }],
    });
    let mut chain = json!({
        "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }],
    });
    if let (true, Some(chain)) = (name == "tls", chain.as_object_mut()) {
        let file = |name: &str| json!({ "filename": setup.path(name) });
        let context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": { "ecdh_curves": ["X25519"] },
                "tls_certificates": [{ "certificate_chain": file("localhost.pem"), "private_key": file("localhost.key") }],
            },
        });
        chain.insert(
            "transport_socket".to_owned(),
            json!({ "name": "envoy.transport_sockets.tls", "typed_config": context }),
        );
    }
    json!({ "name": name, "address": socket(port), "filter_chains": [chain] })
}

fn hosts(shape: Shape) -> Vec<Value> {
    let forward = json!({ "match": { "prefix": "/" }, "route": { "cluster": "origin", "timeout": "0s" } });
    let one =
        |name: &str, domains: Vec<String>| json!({ "name": name, "domains": domains, "routes": [forward] });
    let mut hosts = vec![one("localhost", vec!["localhost".to_owned(), "localhost:*".to_owned()])];
    hosts.extend((0..shape.hosts).map(|index| one(&host(index), vec![host(index)])));
    hosts
}
