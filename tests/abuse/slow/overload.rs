//! Overload: a worker for which everything waits too long refuses new requests until it is over, and readiness says so.

use super::GET;
use nearside_tests::edge::Setting;
use nearside_tests::raw::{Backend, Client};
use nearside_tests::{QUICK, wire};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a fresh look finds while the process was stopped for longer than its queue may stand: an answer, and readiness.
fn after_a_stop(edge: &nearside_tests::Edge, client: &mut Client) -> Vec<(wire::Message, u16)> {
    edge.signal("STOP");
    sleep(Duration::from_millis(1500));
    client.send(GET.as_bytes());
    edge.signal("CONT");
    let until = Instant::now() + Duration::from_millis(500);
    let mut found = Vec::new();
    while Instant::now() < until {
        let answer = client.answer("GET").unwrap();
        let ready = edge.ask("/readyz").map_or(0, |(status, _)| status);
        found.push((answer, ready));
        client.send(GET.as_bytes());
    }
    client.answer("GET").unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_stands_is_shed_and_the_next_request_after_it_is_served() {
    let backend = Backend::start();
    let mut setting = Setting::new();
    let plain = setting.listen_plain();
    let quick = QUICK.replace("path: /healthz", "protocol: tcp");
    let text = format!(
        "{quick}pools: {{ raw: {{ connections: {{ proxy_protocol: v1 }}, backends: [{{ url: \"http://{}\", region: frankfurt }}] }} }}\n\
         routes: [{{ host: www.example.com, pool: raw }}]\nlimits: {{ queue_delay: 300ms }}\n",
        backend.address
    );
    let edge = setting.run(&text).await;
    let mut client = Client::to(plain);
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 200);
    let (mut shed, mut told) = (None, false);
    for _ in 0..10 {
        let found = tokio::task::block_in_place(|| after_a_stop(&edge, &mut client));
        told |= found.iter().any(|(_, ready)| *ready == 503);
        shed = shed.or(found.into_iter().map(|(answer, _)| answer).find(|answer| answer.status() == 503));
        if told && shed.is_some() {
            break;
        }
    }
    let shed = shed.expect("no request was refused");
    assert!(shed.get("retry-after").is_some(), "{shed:?}");
    assert!(shed.get("proxy-status").unwrap().contains("refused.overload"), "{shed:?}");
    assert!(told, "readiness did not say so");
    nearside_tests::eventually("the end of it", async || {
        client.send(GET.as_bytes());
        let served = client.answer("GET").unwrap().status() == 200;
        (served && edge.ask("/readyz")?.0 == 200).then_some(())
    })
    .await;
}
