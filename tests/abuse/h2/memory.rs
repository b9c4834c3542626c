//! Memory that many streams could claim at once: it has a bound.

use super::Client;
use crate::setting::{Stage, stage};
use nearside_tests::frames::{flag, frame, get, headers, integer, kind, line, window};
use nearside_tests::raw::Heard;
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Bytes that the edge has in memory.
fn resident(stage: &Stage) -> u64 {
    let pid = stage.edge.serving().expect("the edge serves");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Runs `hold` on a connection; the edge must not have grown by more than `most` when that has nothing more to do.
async fn grows(most: u64, values: &[(u16, u32)], hold: impl AsyncFnOnce(&mut Client)) {
    let stage = stage();
    // What the first connections of a process cost is not meant.
    Client::begun(stage, &[]).await.asks(1, "/warm").await.unwrap();
    let before = tokio::task::block_in_place(|| resident(stage));
    let mut client = Client::begun(stage, values).await;
    hold(&mut client).await;
    let grown = tokio::task::block_in_place(|| resident(stage)).saturating_sub(before);
    assert!(grown < most, "{} KiB more than before", grown >> 10);
}

/// Sends pings until no frame has come between two of them: whatever was to come has come.
async fn quiet(client: &mut Client) {
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        client.raw.send(&frame(kind::PING, 0, 0, &[0; 8])).await.unwrap();
        if client.raw.next().await.unwrap().kind == kind::PING {
            return;
        }
        client.raw.until(kind::PING).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_wait_at_the_backend() {
    grows(64 * MIB, &[(4, 0)], async |client| {
        stage().backend.answer(
            client.port,
            Arc::new(|talk| {
                while talk.request().is_some() {
                    talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n");
                    for _ in 0..100 {
                        talk.send(&vec![b'x'; 1 << 20]);
                    }
                }
            }),
        );
        let asked: Vec<u8> = (0..50).flat_map(|number| get(number * 2 + 1, "/large")).collect();
        client.raw.send(&asked).await.unwrap();
        for _ in 0..50 {
            client.raw.until(kind::HEADERS).await.unwrap();
        }
        quiet(client).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_no_backend_reads_wait_at_the_client() {
    grows(64 * MIB, &[], async |client| {
        stage().backend.answer(client.port, Arc::new(|talk| talk.pause(Duration::from_secs(3))));
        let streams: Vec<u32> = (0..100).map(|number| number * 2 + 1).collect();
        let begun: Vec<u8> =
            streams.iter().flat_map(|stream| headers(0, *stream, &line("POST", "/large"))).collect();
        client.raw.send(&begun).await.unwrap();
        // Four connection windows at once: the windows of a hundred streams would hold a hundred mebibytes.
        for stream in streams.iter().take(4) {
            client.raw.send(&frame(kind::DATA, 0, *stream, &[b'x'; 16_384]).repeat(63)).await.unwrap();
        }
        quiet(client).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_unpack_to_megabytes_are_not_kept() {
    grows(32 * MIB, &[], async |client| {
        // Each block names a field of 4,000 bytes a dozen times: within the limit of a head, and held by nobody.
        let indexed = [&[0x40][..], &nearside_tests::frames::field("x", "y".repeat(3_900))[1..]].concat();
        let fields =
            [nearside_tests::frames::block(&line("POST", "/held")), indexed, integer(0x80, 7, 62).repeat(12)]
                .concat();
        for number in 0..100 {
            client.raw.send(&frame(kind::HEADERS, flag::END_HEADERS, number * 2 + 1, &fields)).await.unwrap();
        }
        quiet(client).await;
    })
    .await;
}

/// A client may offer a table of gigabytes for the fields of answers; what is used of it is what was agreed at first.
#[tokio::test]
async fn a_table_that_a_client_offers_is_not_filled() {
    let mut client = Client::begun(stage(), &[(1, u32::MAX)]).await;
    client.raw.send(&get(1, "/a")).await.unwrap();
    let answer = client.raw.until(kind::HEADERS).await.unwrap();
    let most = integer(0x20, 5, 4_096);
    let is_update = answer.payload[0] & 0xe0 == 0x20;
    assert!(!is_update || answer.payload.starts_with(&most), "{:x?}", &answer.payload[..8]);
}

/// A window of two gibibytes is no promise to fill it: the backend is read as the client reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_gibibytes_is_not_filled_for_a_client_that_does_not_read() {
    grows(64 * MIB, &[(4, (1 << 31) - 1)], async |client| {
        client.raw.send(&window(0, (1 << 31) - 1 - 65_535)).await.unwrap();
        stage().backend.answer(
            client.port,
            Arc::new(|talk| {
                while talk.request().is_some() {
                    talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
                    for _ in 0..1_024 {
                        talk.send(&vec![b'x'; 1 << 20]);
                    }
                }
            }),
        );
        let asked: Vec<u8> = (0..20).flat_map(|number| get(number * 2 + 1, "/large")).collect();
        client.raw.send(&asked).await.unwrap();
        let port = client.port;
        let all = |heard: &[Heard]| heard.len() >= 20;
        assert!(all(&tokio::task::block_in_place(|| stage().backend.wait(port, all))));
        // Sockets fill in the meantime, which are the system's memory.
        tokio::time::sleep(Duration::from_secs(2)).await;
    })
    .await;
}
