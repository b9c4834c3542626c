//! Envoy in a scene: probes, outlier detection, retries by method; changes by files that it watches (xDS).

use super::peer::{Place, Running};
use super::proxy::{Proxy, Surroundings, replace};
use super::setup::{Setup, Spec};
use crate::client::Door;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub(super) fn start(program: &Path, setup: &Setup, surroundings: &Surroundings) -> Envoy {
    let place = Place::new();
    let mut envoy = Files { folder: place.path().to_str().expect("UTF-8").to_owned() };
    envoy.write(setup);
    envoy.secret();
    envoy.put("listeners", &[envoy.listener(&place)]);
    envoy.put("clusters", &[envoy.cluster(setup), echo(setup)]);
    let resource = |name: &str| json!({ "path_config_source": { "path": envoy.path(name) }, "resource_api_version": "V3" });
    let bootstrap = json!({
        "node": { "id": "faults", "cluster": "faults" },
        "dynamic_resources": { "lds_config": resource("listeners"), "cds_config": resource("clusters") },
    });
    fs::write(place.file("bootstrap.json"), bootstrap.to_string()).expect("own folder");
    let words = surroundings.words(program);
    let running = spawn(&place, &words, &["--use-dynamic-base-id", "--base-id-path", "base-id"]);
    Envoy { place, files: envoy, running, words }
}

/// A process of it, with its place among those that take over from each other.
fn spawn(place: &Place, words: &[OsString], epoch: &[&str]) -> Running {
    let arguments = ["-c", "bootstrap.json", "--concurrency", "2", "--log-level", "warning"];
    let takeover = ["--drain-time-s", "2", "--parent-shutdown-time-s", "3"];
    place.spawn(words, &[&arguments[..], &takeover, epoch].concat())
}

pub(super) struct Envoy {
    place: Place,
    files: Files,
    running: Running,
    words: Vec<OsString>,
}

/// What Envoy watches.
struct Files {
    folder: String,
}

impl Files {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}.json", self.folder)
    }

    fn put(&self, name: &str, resources: &[Value]) {
        replace(Path::new(&self.path(name)), &json!({ "resources": resources }).to_string());
    }

    fn source(&self, name: &str) -> Value {
        json!({ "path_config_source": { "path": self.path(name) }, "resource_api_version": "V3" })
    }

    /// What changes with a configuration: routes and endpoints.
    fn write(&mut self, setup: &Setup) {
        self.put(
            "endpoints",
            &[assignment(setup, "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment")],
        );
        self.put("routes", &[routes(setup)]);
    }

    fn secret(&self) {
        let pem = fs::read_to_string(format!("{}/www.pem", self.folder)).expect("a certificate");
        self.put(
            "secrets",
            &[json!({
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
                "name": "www",
                "tls_certificate": { "certificate_chain": { "inline_string": pem }, "private_key": { "inline_string": pem } },
            })],
        );
    }

    fn listener(&self, place: &Place) -> Value {
        let tls = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificate_sds_secret_configs": [{ "name": "www", "sds_config": self.source("secrets") }],
            },
        });
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "door",
            "codec_type": "AUTO",
            "upgrade_configs": [{ "upgrade_type": "websocket" }],
            "rds": { "route_config_name": "web", "config_source": self.source("routes") },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
            }],
        });
        json!({
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "door",
            "address": socket(&place.https.ip().to_string(), place.https.port()),
            "filter_chains": [{
                "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": tls },
                "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }],
            }],
        })
    }

    fn cluster(&self, setup: &Setup) -> Value {
        let mut cluster = json!({
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "name": "web",
            "connect_timeout": "1s",
            "lb_policy": "LEAST_REQUEST",
            "common_lb_config": { "healthy_panic_threshold": { "value": 0 } },
            "close_connections_on_host_health_failure": true,
            "circuit_breakers": { "thresholds": [{ "max_retries": 100 }] },
            "health_checks": [{
                "timeout": "0.45s", "interval": "0.5s", "unhealthy_interval": "0.5s", "unhealthy_threshold": 2,
                "healthy_threshold": 2, "http_health_check": { "path": "/healthz" },
            }],
            "outlier_detection": {
                "consecutive_5xx": 5, "interval": "0.5s", "base_ejection_time": "10s", "max_ejection_percent": 50,
                "split_external_local_origin_errors": true, "consecutive_local_origin_failure": 5,
            },
        });
        let fields = cluster.as_object_mut().expect("an object");
        if let Some(address) = setup.name_server {
            let resolver = json!({
                "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                "resolvers": [socket(&address.to_string(), 53)],
            });
            fields.insert("type".to_owned(), json!("STRICT_DNS"));
            fields.insert("dns_refresh_rate".to_owned(), json!("1s"));
            fields.insert(
                "typed_dns_resolver_config".to_owned(),
                json!({ "name": "envoy.network.dns_resolver.cares", "typed_config": resolver }),
            );
            let mut assignment = assignment(setup, "");
            assignment.as_object_mut().expect("an object").remove("@type");
            fields.insert("load_assignment".to_owned(), assignment);
        } else {
            fields.insert("type".to_owned(), json!("EDS"));
            fields.insert("eds_cluster_config".to_owned(), json!({ "eds_config": self.source("endpoints") }));
        }
        cluster
    }
}

fn echo(setup: &Setup) -> Value {
    let address = socket(&setup.echo.ip().to_string(), setup.echo.port());
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": "echo",
        "type": "STATIC",
        "load_assignment": { "cluster_name": "echo", "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }] },
    })
}

fn socket(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

fn assignment(setup: &Setup, kind: &str) -> Value {
    let endpoint = |spec: &Spec| {
        let status = if setup.is_drained(spec) { "DRAINING" } else { "UNKNOWN" };
        json!({ "health_status": status, "endpoint": { "address": socket(&spec.host, spec.port) } })
    };
    let tier = |tier: u8| {
        let specs = setup.backends.iter().filter(|spec| spec.tier == tier);
        json!({ "priority": tier - 1, "lb_endpoints": specs.map(endpoint).collect::<Vec<_>>() })
    };
    json!({ "@type": kind, "cluster_name": "web", "endpoints": [tier(1), tier(2)] })
}

/// What is sent may be repeated for GET only; a POST where it cannot have been read. Streams have no deadline.
fn routes(setup: &Setup) -> Value {
    let route = |path: &str, method: Value, action: Value| {
        let headers = if method.is_null() {
            json!([])
        } else {
            json!([{ "name": ":method", "string_match": { "exact": method } }])
        };
        json!({ "match": { "prefix": path, "headers": headers }, "route": action })
    };
    let post = json!({
        "cluster": "web", "timeout": "0s",
        "retry_policy": { "retry_on": "connect-failure,refused-stream", "num_retries": 3, "per_try_timeout": "1s" },
    });
    let get = json!({
        "cluster": "web", "timeout": "0s",
        "retry_policy": {
            "retry_on": "5xx,reset,connect-failure,refused-stream", "num_retries": 3, "per_try_timeout": "1s",
            "retry_host_predicate": [{
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" },
            }],
            "host_selection_retry_max_attempts": 5,
            "retry_priority": {
                "name": "envoy.retry_priorities.previous_priorities",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                    "update_frequency": 2,
                },
            },
        },
    });
    json!({
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": "web",
        "response_headers_to_add": [{
            "header": { "key": "x-config", "value": setup.number.to_string() },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
        "virtual_hosts": [{
            "name": "web",
            "domains": ["*"],
            "routes": [
                route("/echo", Value::Null, json!({ "cluster": "echo", "timeout": "0s" })),
                route("/drip", Value::Null, json!({ "cluster": "web", "timeout": "0s" })),
                route("/", json!("POST"), post),
                route("/", Value::Null, get),
            ],
        }],
    })
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // What its processes share outlives them.
        let id = fs::read_to_string(self.place.file("base-id")).unwrap_or_default();
        drop(fs::remove_file(format!("/dev/shm/envoy_shared_memory_{}0", id.trim())));
    }
}

impl Proxy for Envoy {
    fn door(&self) -> Door {
        self.place.door()
    }

    fn apply(&mut self, setup: &Setup) {
        self.files.write(setup);
    }

    fn spoil(&mut self) {
        self.files.put(
            "routes",
            &[json!({ "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "nmae": 1 })],
        );
    }

    fn renew(&mut self) -> Vec<u8> {
        let new = self.place.renew();
        self.files.secret();
        new
    }

    /// The new process ends the one before.
    fn upgrade(&mut self) {
        let id = fs::read_to_string(self.place.file("base-id")).expect("the first process wrote it");
        let next = spawn(&self.place, &self.words, &["--base-id", id.trim(), "--restart-epoch", "1"]);
        let mut before = std::mem::replace(&mut self.running, next);
        while !before.has_ended() {
            assert!(!self.has_ended(), "the new process has ended: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn terminate(&mut self) {
        self.running.signal("TERM");
    }

    fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    fn log(&self) -> String {
        self.place.log()
    }
}
