//! Whole labs: what a program on a host sees.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A host that answers one byte, and the least time that a connection to it and an answer take from the other.
fn least_wait(lab: &Lab) -> Duration {
    let listener = lab.within("far", || TcpListener::bind((lab.address("far"), 0)).unwrap());
    let address = listener.local_addr().unwrap();
    let once = || {
        let start = Instant::now();
        let mut near = lab.within("near", || TcpStream::connect(address).unwrap());
        near.write_all(b"?").unwrap();
        let mut far = listener.accept().unwrap().0;
        far.read_exact(&mut [0]).unwrap();
        far.write_all(b"!").unwrap();
        near.read_exact(&mut [0]).unwrap();
        start.elapsed()
    };
    (0..5).map(|_| once()).min().unwrap()
}

#[test]
fn a_distance_is_felt_from_when_it_is_set() {
    let Some(lab) = Lab::start(&["near", "far"]) else { return };
    let none = least_wait(&lab);
    // A connection is a round trip, a question and its answer another.
    lab.set("near", "far", Link::of_round_trip(Duration::from_millis(100)));
    let some = least_wait(&lab);
    assert!(some >= Duration::from_millis(200) && none < some, "{none:?}, {some:?}");
    lab.set("near", "far", Link::of_round_trip(Duration::from_millis(10)));
    let less = least_wait(&lab);
    assert!(less >= Duration::from_millis(20) && less < some, "{less:?}");
}

#[test]
fn programs_run_on_hosts_and_hosts_are_gone_with_their_lab() {
    let Some(lab) = Lab::start(&["near", "far"]) else { return };
    let words = lab.on("near");
    let (program, arguments) = words.split_first().unwrap();
    let mut command = std::process::Command::new(program);
    let output = command.args(arguments).args(["ip", "-brief", "address"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(&lab.address("near").to_string()), "{said}");
    let namespace = words[3].clone();
    drop(lab);
    assert!(!std::path::Path::new("/run/netns").join(namespace).exists());
}
