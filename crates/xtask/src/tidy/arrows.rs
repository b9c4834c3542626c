//! Which crate may use which of ours: no arrow turns, and neighbours of one level never see each other.

use super::Finding;
use super::manifests::{Package, Use};

/// One crate's place in the house.
struct Room {
    name: &'static str,
    /// Tests may use whatever lies on a lower level.
    level: u8,
    uses: &'static [&'static str],
}

const HOUSE: &[Room] = &[
    Room { name: "core", level: 0, uses: &[] },
    Room { name: "config", level: 1, uses: &["core"] },
    Room { name: "whatif", level: 1, uses: &["core"] },
    Room { name: "geo", level: 1, uses: &["core"] },
    Room { name: "tls", level: 1, uses: &["core"] },
    Room { name: "health", level: 1, uses: &["core"] },
    Room { name: "telemetry", level: 1, uses: &["core"] },
    Room { name: "http", level: 1, uses: &[] },
    Room { name: "sample", level: 2, uses: &[] },
    Room { name: "proxy", level: 3, uses: &["core", "http", "geo", "tls", "health", "telemetry"] },
    Room {
        name: "nearside",
        level: 4,
        uses: &["core", "config", "whatif", "geo", "tls", "health", "telemetry", "http", "sample", "proxy"],
    },
    Room { name: "xtask", level: 0, uses: &[] },
];

/// Every use of one of our crates that the house does not provide for. The test kit and the benches may use all.
pub(super) fn check(package: &Package) -> Vec<Finding> {
    if !package.is_room() {
        return Vec::new();
    }
    let finding = |line, remedy| Finding { path: package.manifest.clone(), line, rule: "arrows", remedy };
    let Some(room) = room(&package.name) else {
        let remedy =
            format!("give `{}` a place in the table of crates/xtask/src/tidy/arrows.rs", package.name);
        return vec![finding(1, remedy)];
    };
    let wrong = package.uses.iter().filter_map(|used| Some((used, used.ours()?)));
    let wrong = wrong.filter(|(used, name)| !room.may_use(used, name));
    wrong.map(|(used, name)| finding(used.line, room.remedy(name))).collect()
}

impl Room {
    fn may_use(&self, used: &Use, name: &str) -> bool {
        let lower = room(name).is_some_and(|other| other.level < self.level);
        self.uses.contains(&name) || (used.dev && lower)
    }

    fn remedy(&self, name: &str) -> String {
        let may = if self.uses.is_empty() { "no crate of ours".to_owned() } else { self.uses.join(", ") };
        format!(
            "`{}` may not use `{name}` but {may}; what two crates must agree on is a type in `core`",
            self.name
        )
    }
}

fn room(name: &str) -> Option<&'static Room> {
    HOUSE.iter().find(|room| room.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::manifests::planted;
    use crate::tidy::told;

    fn findings(name: &str, dependencies: &str) -> String {
        told(&check(&planted(name, dependencies)))
    }

    #[test]
    fn arrows_of_the_house_pass() {
        assert_eq!(findings("config", "nearside-core serde"), "");
        assert_eq!(findings("nearside", "nearside-core nearside-proxy nearside-sample"), "");
    }

    #[test]
    fn neighbours_never_see_each_other() {
        assert_eq!(
            findings("geo", "nearside-core\nnearside-tls"),
            "crates/geo/Cargo.toml:2: arrows: `geo` may not use `tls` but core; \
             what two crates must agree on is a type in `core`"
        );
        assert_ne!(findings("geo", "dev:nearside-tls"), "", "not even in tests");
    }

    #[test]
    fn no_arrow_turns() {
        assert_eq!(
            findings("core", "nearside-config"),
            "crates/core/Cargo.toml:1: arrows: `core` may not use `config` but no crate of ours; \
             what two crates must agree on is a type in `core`"
        );
        assert_ne!(findings("proxy", "nearside"), "");
    }

    #[test]
    fn tests_may_use_what_lies_below() {
        assert_eq!(findings("proxy", "dev:nearside-config dev:nearside-sample"), "");
        assert_ne!(findings("proxy", "nearside-config"), "");
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert_eq!(
            findings("cache", ""),
            "crates/cache/Cargo.toml:1: arrows: give `cache` a place in the table of crates/xtask/src/tidy/arrows.rs"
        );
    }

    #[test]
    fn the_test_kit_and_the_benches_see_everything() {
        assert_eq!(findings("tests", "nearside-proxy nearside-config"), "");
        assert_eq!(findings("benches", "nearside-http"), "");
    }
}
