//! The drain mark is edited in place, wherever it stands: only the mark changes, in meaning and on paper.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use nearside_config::edit::{EditError, Target, drain, undrain};
use nearside_config::load;

const FILE: &str = "\
# the service
version: 1

regions:
  flow: { place: { country: DE } } # a flow region
  empty: {} # an empty one
  nothing:
  block: # a block region
    # where it stands
    place:
      country: IE   # green

  marked:
    place: { country: US }
    # why it is off
    drain: \"CHG-1\" # since monday
    # after the mark
  only:
    drain: x

  marked-flow: { drain: y, place: { country: FR } }

pools:
  web:
    backends:
      - { id: a, url: \"https://a.example\", region: flow }   # nearest
      # the other one
      - id: b
        url: https://b.example
        region: block
        drain: { reason: disk, by: ann }

      - {url: 'https://c.example', region: empty}
routes:
  - host: www.example.com # the only one
    pool: web
  - host: inline.example.com
    backends: [{ url: \"https://d.example\", region: flow }, { url: \"https://e.example\", region: block }]
tls: { certificates: [certs/*.pem] }
# the end
";

const TARGETS: [Target<'static>; 11] = [
    Target::Region("flow"),
    Target::Region("empty"),
    Target::Region("nothing"),
    Target::Region("block"),
    Target::Region("marked"),
    Target::Region("only"),
    Target::Region("marked-flow"),
    Target::Backend { pool: "web", backend: "a" },
    Target::Backend { pool: "web", backend: "b" },
    Target::Backend { pool: "web", backend: "https://c.example" },
    Target::Backend { pool: "inline.example.com/*", backend: "https://e.example" },
];

/// The lines of `one` that `other` lacks.
fn lacks<'a>(one: &'a str, other: &str) -> Vec<&'a str> {
    let lines: Vec<&str> = other.split('\n').collect();
    one.split('\n').filter(|line| !lines.contains(line)).collect()
}

fn check(target: Target<'_>, reason: Option<&str>, removed: &[&str], added: &[&str]) {
    let new = match reason {
        Some(reason) => drain(FILE, target, reason).unwrap(),
        None => undrain(FILE, target).unwrap(),
    };
    assert_eq!((lacks(FILE, &new), lacks(&new, FILE)), (removed.to_vec(), added.to_vec()), "{target:?}");
}

#[test]
fn a_mark_is_one_line() {
    let flow = "  flow: { place: { country: DE } } # a flow region";
    check(
        TARGETS[0],
        Some("why"),
        &[flow],
        &["  flow: { place: { country: DE }, drain: why } # a flow region"],
    );
    check(
        TARGETS[1],
        Some("why"),
        &["  empty: {} # an empty one"],
        &["  empty: {drain: why} # an empty one"],
    );
    check(TARGETS[3], Some("why"), &[], &["    drain: why"]);
    let since = ["    drain: \"CHG-1\" # since monday", "    drain: why # since monday"];
    check(TARGETS[4], Some("why"), &since[..1], &since[1..]);
    check(TARGETS[8], Some("why"), &["        drain: { reason: disk, by: ann }"], &["        drain: why"]);
}

#[test]
fn a_mark_is_taken_off_without_a_trace() {
    for target in [TARGETS[0], TARGETS[1], TARGETS[3], TARGETS[7], TARGETS[9], TARGETS[10]] {
        let marked = drain(FILE, target, "why").unwrap();
        assert_eq!(undrain(&marked, target).unwrap(), FILE, "{target:?}");
    }
    let flow = "  marked-flow: { drain: y, place: { country: FR } }";
    check(TARGETS[6], None, &[flow], &["  marked-flow: { place: { country: FR } }"]);
}

#[test]
fn every_target_takes_any_reason_whatever_ends_the_lines() {
    for text in [FILE.to_owned(), FILE.replace('\n', "\r\n")] {
        for target in TARGETS {
            for reason in ["why", "a \"quoted\" # reason: {with} 'ünïcode', too", "- 1", "null"] {
                let marked = drain(&text, target, reason).unwrap();
                let (generation, ..) = load(&marked).unwrap();
                let mut regions = generation.regions.iter().map(|region| (&*region.name, &region.drain));
                let mut backends = generation.backends.iter().map(|known| (&*known.name, &known.drain));
                let found = match target {
                    Target::Region(name) => regions.find(|(known, _)| *known == name),
                    Target::Backend { backend, .. } => backends.find(|(known, _)| *known == backend),
                };
                assert_eq!(found.unwrap().1.as_ref().map(|mark| &*mark.reason), Some(reason), "{target:?}");
                let feeds = |text: &str| text.matches('\n').count();
                let pairs = |text: &str| text.matches("\r\n").count();
                let expected = if pairs(&text) > 0 { feeds(&marked) } else { 0 };
                assert_eq!(pairs(&marked), expected, "{target:?}: {marked:?}");
                let free = undrain(&marked, target).unwrap();
                // What stands behind the mark on its line is about the mark, and goes with it.
                let lost = text.matches('#').count() - free.matches('#').count();
                assert!(lost <= usize::from(target == TARGETS[4]), "{target:?}: {free}");
            }
        }
    }
}

#[test]
fn a_mark_that_stands_is_left_alone() {
    assert_eq!(drain(FILE, TARGETS[4], "CHG-1").unwrap(), FILE);
    assert_eq!(undrain(FILE, TARGETS[0]).unwrap(), FILE);
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let unknown = drain(FILE, Target::Region("atlantis"), "why");
    assert!(matches!(unknown, Err(EditError::Unknown { name, .. }) if name == "atlantis"));
    assert!(matches!(drain("version: 1\nregions: [", TARGETS[0], "why"), Err(EditError::File(_))));
    assert!(drain(FILE, TARGETS[0], " ").is_err());
    // One value for two regions: a mark on one of them would be a mark on both.
    let shared = FILE.replace("empty: {}", "empty: *same").replace("flow: { place", "flow: &same { place");
    assert!(load(&shared).is_ok());
    assert!(matches!(drain(&shared, TARGETS[0], "why"), Err(EditError::Layout(_))));
}
