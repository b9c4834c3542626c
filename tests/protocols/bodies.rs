//! Bodies: large ones both ways with memory flat, slow readers, cut answers.

use crate::setting::{KINDS, stage};
use nearside_tests::Edge;
use nearside_tests::client::{self, HOST, connect, url};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const MIB: usize = 1 << 20;

/// Resident memory of the edge in KiB.
pub(crate) fn resident(edge: &Edge) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", edge.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A gigabyte must not cost what it weighs: from the first eighth on memory stays within 24 MiB.
fn flat(edge: &Edge, carried: usize, whole: usize, base: &mut Option<usize>) {
    if carried < whole / 8 {
        return;
    }
    let now = resident(edge);
    let base = *base.get_or_insert(now);
    assert!(now < base + 24 * 1024, "{base} KiB grew to {now} KiB after {carried} bytes");
}

#[tokio::test]
async fn a_gigabyte_comes_down_whole_with_memory_flat() {
    let stage = stage().await;
    let whole = 1024 * MIB;
    for (h2, kind) in [(false, "h1"), (true, "h2")] {
        let client = client::reqwest(&stage.edge, h2);
        let mut answer =
            client.get(url(&stage.edge, &format!("/{kind}/bytes/{whole}"))).send().await.unwrap();
        let (mut carried, mut base, mut looked) = (0, None, 0);
        while let Some(piece) = answer.chunk().await.unwrap() {
            carried += piece.len();
            if carried - looked > 64 * MIB {
                looked = carried;
                flat(&stage.edge, carried, whole, &mut base);
            }
        }
        assert_eq!(carried, whole);
    }
}

#[tokio::test]
async fn a_gigabyte_goes_up_whole_with_memory_flat() {
    let stage = stage().await;
    let whole = 1024 * MIB;
    for (h2, kind) in [(false, "h1"), (true, "h2")] {
        let client = client::reqwest(&stage.edge, h2);
        let pieces = pieces_of(whole);
        let request = client.post(url(&stage.edge, &format!("/{kind}/digest"))).body(pieces);
        let mut base = None;
        let sending = tokio::spawn(request.timeout(std::time::Duration::from_secs(300)).send());
        let mut carried = whole / 8;
        while !sending.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            flat(&stage.edge, carried, whole, &mut base);
            carried += 1;
        }
        let answer: Value = sending.await.unwrap().unwrap().json().await.unwrap();
        assert!(answer.to_string().contains(&whole.to_string()), "{answer}");
    }
}

#[tokio::test]
async fn who_pauses_within_a_large_body_hears_of_all_that_was_sent() {
    /// Stands in no head.
    const MARK: u8 = 0xee;
    let stage = stage().await;
    for kind in KINDS {
        let h1 = stage.edge.authority.trusting(&[b"http/1.1"]);
        let stream = connect(h1, stage.edge.https, HOST).await.unwrap();
        let (mut answer, mut request) = tokio::io::split(stream);
        let head =
            format!("POST /{kind}/echo HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {}\r\n\r\n", 8 * MIB);
        request.write_all(head.as_bytes()).await.unwrap();
        for count in [MIB, 10_000, MIB, 1, 100_000, MIB, 70_000, 1] {
            let said = vec![MARK; count];
            let hearing = async {
                let (mut left, mut piece) = (count, vec![0; 64 * 1024]);
                while left > 0 {
                    let read = answer.read(&mut piece).await.unwrap();
                    assert!(read > 0, "{kind}: the end came with {left} of {count} to come");
                    left -= piece[..read].iter().filter(|byte| **byte == MARK).count();
                }
            };
            let (sent, ()) = tokio::join!(request.write_all(&said), hearing);
            sent.unwrap();
        }
    }
}

/// A body of so many bytes, made piece by piece.
fn pieces_of(whole: usize) -> reqwest::Body {
    let piece = bytes::Bytes::from(vec![42; MIB]);
    let pieces = (0..whole / MIB).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}

#[tokio::test]
async fn a_slow_reader_holds_the_backend_back_and_nothing_spools() {
    let stage = stage().await;
    for (h2, kind) in [(false, "h1"), (true, "h2"), (false, "h2"), (true, "h1")] {
        let before = resident(&stage.edge);
        let client = client::reqwest(&stage.edge, h2);
        let answer =
            client.get(url(&stage.edge, &format!("/{kind}/bytes/{}", 512 * MIB))).send().await.unwrap();
        // Nobody reads: what is on its way fills sockets and windows, and then stands.
        let mut last = 0;
        nearside_tests::eventually("memory that stands still", async || {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let now = resident(&stage.edge);
            let still = now == last;
            last = now;
            still.then_some(())
        })
        .await;
        assert!(last < before + 32 * 1024, "{kind}: {before} KiB grew to {last} KiB");
        drop(answer);
    }
}

#[tokio::test]
async fn an_answer_that_the_backend_cuts_never_looks_whole() {
    let stage = stage().await;
    for h2 in [false, true] {
        for kind in KINDS {
            let client = client::reqwest(&stage.edge, h2);
            let answer = client.get(url(&stage.edge, &format!("/{kind}/cut/100000"))).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.bytes().await.is_err(), "{kind} to h2={h2} looked whole");
        }
    }
}
