//! Which crate may name which library of others, so that each library can be replaced in one place.

use super::Finding;
use super::manifests::Package;

/// Libraries and those who may name them.
struct Rule {
    /// Names; one that ends in `*` stands for all that begin like it.
    libraries: &'static [&'static str],
    may: May,
    why: &'static str,
}

enum May {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

const RULES: &[Rule] = &[
    Rule {
        libraries: &["serde_yaml*", "saphyr*", "yaml-*", "serde_yml", "serde_norway"],
        may: May::Only(&["config", "tests"]),
        why: "YAML is read and written behind `config`",
    },
    Rule {
        libraries: &["iptocc", "maxminddb"],
        may: May::Only(&["geo"]),
        why: "tables of places are read behind `geo`",
    },
    Rule {
        libraries: &["tokio*"],
        may: May::AllBut(&["core", "config", "whatif", "geo", "http"]),
        why: "what decides or parses neither waits nor reads sockets",
    },
    Rule {
        libraries: &["tokio-rustls"],
        may: May::Only(&["proxy", "sample", "tests", "benches"]),
        why: "connections are the engine's",
    },
    Rule {
        libraries: &["serde*"],
        may: May::AllBut(&["core", "http", "whatif"]),
        why: "what a request reads is no document",
    },
    Rule {
        libraries: &["pingora", "pingora-proxy", "pingora-http", "pingora-cache"],
        may: May::Only(&[]),
        why: "nearside stands on pingora-core and pingora-load-balancing alone",
    },
    Rule {
        libraries: &["pingora-*"],
        may: May::Only(&["health", "proxy", "nearside"]),
        why: "no pingora type appears elsewhere",
    },
    Rule {
        libraries: &["hickory-*"],
        may: May::Only(&["health"]),
        why: "names are resolved behind `health`",
    },
    Rule {
        libraries: &["h2"],
        may: May::Only(&["proxy", "sample", "tests", "benches"]),
        why: "HTTP/2 is spoken behind `proxy`",
    },
    Rule { libraries: &["httparse"], may: May::Only(&["http"]), why: "HTTP/1 heads are read behind `http`" },
    Rule {
        libraries: &["prometheus*", "tracing-subscriber"],
        may: May::Only(&["telemetry"]),
        why: "what happened is written down behind `telemetry`",
    },
    Rule {
        libraries: &["clap", "anyhow", "notify"],
        may: May::Only(&["nearside", "xtask", "sample", "tests", "benches"]),
        why: "arguments, the watcher and errors without a type belong to programs",
    },
    Rule {
        libraries: &["openssl*", "native-tls", "boring*", "s2n-tls*"],
        may: May::Only(&[]),
        why: "there is one TLS library: rustls",
    },
];

/// Every library that the package may not name.
pub(super) fn check(package: &Package) -> Vec<Finding> {
    let mut findings = Vec::new();
    for used in &package.uses {
        if let Some(rule) = RULES.iter().find(|rule| rule.forbids(&package.name, &used.name)) {
            findings.push(Finding {
                path: package.manifest.clone(),
                line: used.line,
                rule: "libraries",
                remedy: format!("`{}` may not name `{}`: {}", package.name, used.name, rule.why),
            });
        }
    }
    findings
}

impl Rule {
    fn forbids(&self, package: &str, library: &str) -> bool {
        let named = self.libraries.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => library.starts_with(beginning),
            None => library == *pattern,
        });
        named
            && match self.may {
                May::Only(these) => !these.contains(&package),
                May::AllBut(these) => these.contains(&package),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::manifests::planted;
    use crate::tidy::told;

    fn passes(package: &str, library: &str) -> bool {
        check(&planted(package, library)).is_empty()
    }

    #[test]
    fn a_library_in_the_wrong_crate_is_told_with_its_line() {
        assert_eq!(
            told(&check(&planted("whatif", "nearside-core\nserde_yaml"))),
            "crates/whatif/Cargo.toml:2: libraries: `whatif` may not name `serde_yaml`: \
             YAML is read and written behind `config`"
        );
    }

    #[test]
    fn each_library_has_its_crate() {
        for (library, may, may_not) in [
            ("yaml-edit", "config", "nearside"),
            ("maxminddb", "geo", "nearside"),
            ("tokio", "health", "geo"),
            ("tokio-rustls", "proxy", "nearside"),
            ("serde", "config", "core"),
            ("serde_json", "telemetry", "http"),
            ("pingora-core", "proxy", "tests"),
            ("hickory-resolver", "health", "proxy"),
            ("h2", "sample", "health"),
            ("httparse", "http", "proxy"),
            ("prometheus-client", "telemetry", "nearside"),
            ("clap", "nearside", "config"),
            ("anyhow", "tests", "proxy"),
            ("notify", "nearside", "tls"),
        ] {
            assert!(passes(may, library), "{may} may name {library}");
            assert!(!passes(may_not, library), "{may_not} may not name {library}");
        }
    }

    #[test]
    fn some_libraries_are_named_by_nobody() {
        for library in ["pingora-proxy", "pingora", "openssl", "native-tls"] {
            assert!(!passes("proxy", library), "{library}");
        }
    }

    #[test]
    fn rules_for_the_product_hold_for_its_tests_too() {
        assert!(!passes("core", "dev:tokio"));
    }
}
