//! Backends that listen at Unix sockets, over HTTP/1.1 and h2c: served, probed, left when they die, found again, and
//! moved by a reload.

use crate::announced::Haproxy;
use nearside_sample::{Handle, Options, Protocol};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, QUICK, client, eventually};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinSet;

/// A sample backend behind a Unix socket.
struct Backend {
    sample: Handle,
    path: PathBuf,
    bridge: tokio::task::JoinHandle<()>,
}

impl Backend {
    async fn start(path: &Path, name: &str, protocol: Protocol) -> Self {
        let mut options = Options::new(name, "frankfurt");
        options.protocols = vec![protocol];
        let sample = nearside_sample::start(options).await.unwrap();
        let (address, listener) = (sample.addr(), UnixListener::bind(path).unwrap());
        let bridge = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far = TcpStream::connect(address).await?;
                    copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Self { sample, path: path.to_owned(), bridge }
    }

    /// Ends it as a killed process does: connections are cut, and the socket's file stays.
    async fn kill(self) -> PathBuf {
        self.bridge.abort();
        drop(self.bridge.await);
        self.sample.stop().await;
        self.path
    }
}

fn file(first: &Path, second: &Path, protocol: &str) -> String {
    format!(
        "{QUICK}pools:\n  app:\n    connections: {{ protocol: {protocol} }}\n    backends:\n      \
         - {{ id: first, url: \"unix:{}\", region: frankfurt }}\n      \
         - {{ id: second, url: \"unix:{}\", region: virginia, priority: 2 }}\n\
         routes:\n  - {{ host: www.example.com, pool: app }}\n",
        first.display(),
        second.display()
    )
}

/// Who answers, and the host that it was asked for.
async fn who(edge: &Edge, h2: bool) -> (String, String) {
    let url = client::url(edge, "/who");
    let answer =
        client::reqwest(edge, h2).get(url).header("accept", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen: Value = answer.json().await.unwrap();
    (seen["name"].as_str().unwrap().to_owned(), seen["host"].as_str().unwrap().to_owned())
}

/// Waits until the backend is seen so.
async fn verdict(edge: &Edge, backend: &str, verdict: &str) {
    eventually(verdict, async || {
        let status = edge.status();
        let mut backends = status["backends"].as_array().unwrap().iter();
        backends.find(|own| own["name"] == backend && own["verdict"] == verdict).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn a_socket_is_served_left_when_it_dies_found_again_and_moved_by_a_reload() {
    for (protocol, word) in [(Protocol::H1, "auto"), (Protocol::H2c, "h2c")] {
        let setting = Setting::new();
        let place = |name: &str| setting.folder().join(name);
        let (first, second, moved) = (place("first.sock"), place("second.sock"), place("moved.sock"));
        let backend = Backend::start(&first, "first", protocol).await;
        let other = Backend::start(&second, "second", protocol).await;
        let edge = setting.run(&file(&first, &second, word)).await;
        for h2 in [false, true] {
            let (name, host) = who(&edge, h2).await;
            assert_eq!((name.as_str(), host.starts_with(client::HOST)), ("first", true), "{host}");
        }
        verdict(&edge, "first", "healthy").await;
        let probes = backend.sample.ledger();
        assert!(probes.arrivals().iter().any(|arrival| arrival.probe));

        // Dead, and its file still there; nobody sees a failure.
        let path = backend.kill().await;
        assert!(path.exists());
        assert_eq!(who(&edge, true).await.0, "second");
        verdict(&edge, "first", "unhealthy").await;
        fs::remove_file(&path).unwrap();
        assert_eq!(who(&edge, true).await.0, "second");

        // A new process at the same path is found by its probes; failback holds requests back for a while.
        let again = Backend::start(&first, "again", protocol).await;
        verdict(&edge, "first", "healthy").await;
        other.kill().await;
        verdict(&edge, "second", "unhealthy").await;
        assert_eq!(who(&edge, false).await.0, "again");

        // A reload that names another path moves new requests there.
        let third = Backend::start(&moved, "moved", protocol).await;
        edge.reload(|text| text.replace("first.sock", "moved.sock")).await;
        assert_eq!(who(&edge, false).await.0, "moved");
        assert_eq!(who(&edge, true).await.0, "moved");
        drop((again, third));
    }
}

#[tokio::test]
async fn a_sockets_own_host_is_localhost_and_haproxy_is_told_the_client_through_one() {
    let setting = Setting::new();
    let socket = setting.folder().join("haproxy.sock");
    let text = format!(
        "defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n\
         frontend all\n  bind unix@{} accept-proxy\n  http-request return status 200 content-type text/plain \
         lf-string \"%[src] %[req.hdr(host)]\"\n",
        socket.display()
    );
    let Some(_haproxy) = Haproxy::start(&setting, &text) else { return };
    eventually("haproxy", async || tokio::net::UnixStream::connect(&socket).await.ok()).await;
    let edge = setting
        .run(&format!(
            "{QUICK}pools:\n  app:\n    host_header: backend\n    connections: {{ proxy_protocol: v2 }}\n    \
             backends: [{{ url: \"unix:{}\", region: frankfurt }}]\nroutes:\n  - {{ host: www.example.com, pool: app }}\n",
            socket.display()
        ))
        .await;
    for h2 in [false, true] {
        let answer = client::reqwest(&edge, h2).get(client::url(&edge, "/")).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
            (200, "127.0.0.1 localhost")
        );
    }
}
