//! What changes place between two sets of tables.

use crate::made::{cidr, countries, put};
use crate::{data, load, now, told};
use nearside_core::place::Country;
use nearside_geo::{Change, Moved, Spec, Summary, Tables, diff};

fn tables(networks: &[(&str, &str)]) -> Tables {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mmdb");
    let networks: Vec<_> = networks.iter().map(|(network, country)| (cidr(network), *country)).collect();
    put(&path, &countries(1, &networks));
    load(&[path]).unwrap()
}

fn row(change: &Change) -> String {
    let networks: Vec<_> =
        change.networks().map(|network| format!("{}/{}", network.address, network.prefix)).collect();
    format!("{}: {} to {}", networks.join(" "), told(change.from), told(change.to))
}

fn check(old: &Tables, new: &Tables, expected: &[&str]) {
    assert_eq!(diff(old, new).map(|change| row(&change)).collect::<Vec<_>>(), expected);
}

const OLD: &[(&str, &str)] = &[
    ("1.0.0.0/24", "DE"),
    ("1.0.1.0/24", "DE"),
    ("1.0.2.0/24", "DE"),
    ("1.0.3.0/24", "FR"),
    ("2.0.0.0/8", "US"),
    ("2a00::/16", "GB"),
];

#[test]
fn neighbours_that_move_alike_are_one_change() {
    let new = [
        ("1.0.0.0/23", "US"),
        ("1.0.2.0/24", "US"),
        ("1.0.3.0/24", "US"),
        ("2.0.0.0/9", "US"),
        ("2a00::/17", "GB"),
        ("2a00:8000::/17", "NO"),
        ("255.255.255.255/32", "CH"),
    ];
    let expected = [
        "1.0.0.0/23 1.0.2.0/24: DE (EU) to US (NA)",
        "1.0.3.0/24: FR (EU) to US (NA)",
        "2.128.0.0/9: US (NA) to ZZ (-)",
        "255.255.255.255/32: ZZ (-) to CH (EU)",
        "2a00:8000::/17: GB (EU) to NO (EU)",
    ];
    let (old, new) = (tables(OLD), tables(&new));
    check(&old, &new, &expected);
    check(&old, &old, &[]);
    check(&Tables::none(), &Tables::none(), &[]);
}

#[test]
fn networks_that_stand_for_ipv4_are_told_once() {
    let [old, new] =
        ["GeoLite2-Country-Test.mmdb", "GeoIP2-Country-Test.mmdb"].map(|name| load(&[data(name)]).unwrap());
    assert!(diff(&old, &new).count() > 0);
    let alias = |change: &Change| {
        [cidr("2002::/16"), cidr("2001::/32")].iter().any(|network| network.address == change.first)
    };
    assert!(!diff(&old, &new).any(|change| alias(&change)));
}

#[test]
fn changes_add_up_by_country_and_the_caller_marks_some() {
    let (old, new) = (
        tables(OLD),
        tables(&[("1.0.0.0/24", "CH"), ("1.0.1.0/24", "FR"), ("1.0.2.0/24", "CH"), ("1.0.3.0/24", "FR")]),
    );
    let mut summary = Summary::default();
    for change in diff(&old, &new) {
        summary.add(&change, change.to.country.as_str() == "CH");
    }
    let of = |from, to| summary.0.get(&(Country::parse(from).unwrap(), Country::parse(to).unwrap())).copied();
    assert_eq!(of("DE", "CH"), Some(Moved { changes: 2, marked: 2, v4: 512, v6: 0 }));
    assert_eq!(of("DE", "FR"), Some(Moved { changes: 1, marked: 0, v4: 256, v6: 0 }));
    assert_eq!(of("US", "ZZ"), Some(Moved { changes: 1, marked: 0, v4: 1 << 24, v6: 0 }));
    assert_eq!(of("GB", "ZZ"), Some(Moved { changes: 1, marked: 0, v4: 0, v6: 1 << 48 }));
    assert_eq!(summary.0.len(), 4);
}

#[test]
fn the_embedded_table_is_compared_in_steps() {
    let embedded = Tables::load(Spec::default(), None, now()).unwrap();
    let first: Vec<_> = diff(&embedded, &Tables::none()).take(2).map(|change| row(&change)).collect();
    assert_eq!(first, ["1.0.0.0/24: AU (OC) to ZZ (-)", "1.0.1.0/24 1.0.2.0/23: CN (AS) to ZZ (-)"]);
}
