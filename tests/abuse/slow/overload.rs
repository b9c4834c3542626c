//! Overload: a worker that is given more than it can do refuses new requests until it is over, and readiness says so.

use super::GET;
use nearside_tests::edge::Setting;
use nearside_tests::raw::Client;
use nearside_tests::{Edge, QUICK, eventually, wire};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How many clients ask at one time, and how much each asks for on a connection: many seconds of work.
const CROWD: usize = 300;
const BURST: usize = 100;

async fn edge() -> (Edge, SocketAddr) {
    let mut setting = Setting::new();
    let plain = setting.listen_plain();
    let text = format!(
        "{QUICK}routes: [{{ host: www.example.com, answer: {{ status: 204 }} }}]\nlimits: {{ queue_delay: 100ms }}\n",
    );
    (setting.run(&text).await, plain)
}

/// Asks `BURST` times, again and again, and hands on what is said of an overload.
async fn press(address: SocketAddr, shed: mpsc::UnboundedSender<wire::Message>) {
    let burst = GET.repeat(BURST);
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let (mut reads, mut writes) = stream.split();
        let mut heard = Vec::new();
        let send = async {
            writes.write_all(burst.as_bytes()).await?;
            writes.shutdown().await
        };
        let (sent, read) = tokio::join!(send, reads.read_to_end(&mut heard));
        // An edge that is rid of us early has its reasons; what it had said is heard.
        drop((sent, read));
        if let Some(at) = wire::find(&heard, b"HTTP/1.1 503") {
            let kind = wire::Kind::Answer("GET");
            let (answer, _) = wire::Message::read(&heard[at..], kind, false).expect("a whole answer");
            shed.send(answer).unwrap_or_default();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_stands_is_shed_and_the_next_request_after_it_is_served() {
    let (edge, plain) = edge().await;
    let mut client = Client::to(plain);
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 204);
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut crowd: JoinSet<()> = (0..CROWD).map(|_| press(plain, tell.clone())).collect();
    eventually("readiness that tells of overload", async || {
        let (status, said) = edge.ask("/readyz")?;
        (status == 503 && said.contains("overloaded")).then_some(())
    })
    .await;
    let shed = told.recv().await.expect("the crowd asks on");
    assert!(shed.get("retry-after").is_some(), "{shed:?}");
    assert!(shed.get("proxy-status").unwrap().contains("refused.overload"), "{shed:?}");
    crowd.shutdown().await;
    eventually("the end of it", async || {
        client.send(GET.as_bytes());
        let served = client.answer("GET").ok()?.status() == 204;
        (served && edge.ask("/readyz")?.0 == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_stopped_serves_what_came_meanwhile() {
    let (edge, plain) = edge().await;
    let mut clients: Vec<Client> = (0..20).map(|_| Client::to(plain)).collect();
    edge.signal("STOP");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for client in &mut clients {
        client.send(GET.as_bytes());
    }
    edge.signal("CONT");
    for client in &mut clients {
        assert_eq!(client.answer("GET").unwrap().status(), 204);
    }
}
