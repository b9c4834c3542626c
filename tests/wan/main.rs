//! PoPs at the distances of a real cloud: which region each of them chooses, and when it changes its mind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use nearside_tests::tool;
use nearside_tests::wan::{Link, matrix};
use std::fs;
use std::process::Command;
use std::time::Duration;
use world::World;

/// Regions of Azure, as the matrix calls them. None of the PoPs is nearest to the first.
const REGIONS: [&str; 5] = ["japaneast", "northeurope", "centralindia", "westeurope", "eastus"];
const POPS: [&str; 3] = ["uksouth", "canadacentral", "southeastasia"];
/// What a probe of the farthest takes, twice a round trip of a quarter of a second, and patience for a busy machine.
const FAR: &str = "{ interval: 1s, fast_interval: 500ms, timeout: 950ms, path: /healthz }";

fn at(millis: u64) -> Link {
    Link::of_round_trip(Duration::from_millis(millis))
}

/// The region that the matrix says is the nearest.
fn nearest(pop: &str) -> &'static str {
    REGIONS.into_iter().min_by_key(|region| matrix::round_trip(pop, region)).unwrap()
}

/// Whether all round trips are known as the matrix has them: none shorter, and in their order where they differ by enough.
fn is_like_the_matrix(pop: &str, known: &[(String, f64)]) -> bool {
    let real = |region: &str| matrix::round_trip(pop, region).as_secs_f64() * 1000.0;
    known.len() == REGIONS.len()
        && known.iter().all(|(a, a_known)| {
            let in_order = known.iter().all(|(b, b_known)| real(a) + 2.0 > real(b) || a_known < b_known);
            in_order && *a_known > real(a) - 0.1 && *a_known < real(a) * 1.5 + 20.0
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pop_chooses_the_region_that_the_matrix_says_and_moves_when_a_distance_changes() {
    let real = |pop: &str, region: &str| Link::of_round_trip(matrix::round_trip(pop, region));
    let Some(world) = World::start(&POPS, &REGIONS, FAR, real).await else { return };
    for pop in POPS {
        world.goes_to(pop, nearest(pop)).await;
        let known = || Some(world.round_trips(pop)).filter(|known| is_like_the_matrix(pop, known));
        world
            .patiently(&format!("the matrix at {pop}"), known, || format!("{:?}", world.round_trips(pop)))
            .await;
    }
    assert_eq!(POPS.map(nearest), ["westeurope", "eastus", "centralindia"]);

    world.lab.set("canadacentral", "japaneast", at(8));
    world.goes_to("canadacentral", "japaneast").await;
    for pop in ["uksouth", "southeastasia"] {
        let answers = world.answers(pop, 5);
        assert!(
            answers.iter().all(|region| region == nearest(pop)),
            "nothing has changed for {pop}: {answers:?}"
        );
    }
    world.lab.set("canadacentral", "japaneast", real("canadacentral", "japaneast"));
    world.goes_to("canadacentral", "eastus").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_a_millisecond_apart_do_not_flap() {
    let probes = "{ interval: 150ms, fast_interval: 100ms, timeout: 140ms, fall: 10, path: /healthz }";
    let link = |_: &str, region: &str| {
        let jitter = Duration::from_millis(1);
        Link { jitter, ..at(if region == "westeurope" { 20 } else { 21 }) }
    };
    let world = World::start(&["uksouth"], &["northeurope", "westeurope"], probes, link).await;
    let Some(world) = world else { return };
    let least = || world.probes_passed("uksouth");
    let after = async |count: u64| {
        let enough = || (least() >= count).then_some(());
        world.patiently("probes", enough, || least().to_string()).await;
    };
    after(12).await;
    let (begin, mut answers) = (least(), Vec::new());
    // Each of these probes could turn the order: a round trip varies by up to 4 ms.
    while least() < begin + 80 {
        answers.extend(world.answers("uksouth", 20));
    }
    let changes = answers.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 4, "{changes} changes in {} requests", answers.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_tells_of_a_shorter_path_before_a_probe_does() {
    let probes = "{ interval: 1h, fast_interval: 10s, timeout: 9s, path: /healthz }";
    let Some(world) = World::start(&["uksouth"], &["westeurope"], probes, |_, _| at(400)).await else {
        return;
    };
    let first = || world.round_trips("uksouth").first().map(|(_, millis)| *millis);
    world.patiently("the first probe", first, String::new).await;
    let known = || first().unwrap();
    assert!(known() > 399.0, "{}", known());
    let passed = || world.probes_passed("uksouth");
    // One client's connection stays with one worker, and so with one connection to the backend.
    let (least, before) = world.within("uksouth", async |client, door| {
        let get = async || assert_eq!(client.get(door.url("/")).send().await.unwrap().status(), 200);
        // Answers that take so long ask for a second probe; what it finds is trusted for the hour, whatever takes long then.
        for _ in 0..100 {
            get().await;
            if passed() == 2 {
                break;
            }
        }
        let before = passed();
        world.lab.set("uksouth", "westeurope", at(100));
        for _ in 0..500 {
            get().await;
            if known() < 150.0 {
                break;
            }
        }
        (known(), before)
    });
    assert!((99.9..150.0).contains(&least), "{least}");
    assert_eq!((before, passed()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_distant_backends_are_sent_to_by_bbr_where_the_kernel_has_it() {
    const FOLDER: &str = "/proc/sys/net/ipv4";
    let known = fs::read_to_string(format!("{FOLDER}/tcp_available_congestion_control")).unwrap();
    if !known.split_whitespace().any(|control| control == "bbr") {
        return tool::skip("this kernel has no bbr (`modprobe tcp_bbr`)");
    }
    let Some(world) = World::start(&["uksouth"], &["westeurope"], FAR, |_, _| at(20)).await else { return };
    let (sockets, port) = world.within("uksouth", async |client, door| {
        // From now on nothing has it by itself.
        fs::write(format!("{FOLDER}/tcp_congestion_control"), "reno").unwrap();
        assert_eq!(client.get(door.url("/")).send().await.unwrap().status(), 200);
        let output = Command::new("ss").args(["-HtniO", "state", "established"]).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), door.https.port())
    });
    // Two queues, both ends, and what the kernel says of it.
    let controls = |end: usize, port: u16| {
        let of = |line: &&str| line.split_whitespace().nth(end).unwrap().ends_with(&format!(":{port}"));
        let known = |line: &str| line.split_whitespace().any(|word| word == "bbr");
        sockets.lines().filter(of).map(known).collect::<Vec<_>>()
    };
    for (end, port) in [(2, port), (3, 80)] {
        let controls = controls(end, port);
        assert!(!controls.is_empty() && controls.iter().all(|is_bbr| *is_bbr), "{sockets}");
    }
    assert_eq!(controls(3, port), [false], "the client's own end: {sockets}");
}
