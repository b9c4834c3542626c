//! The files whose change makes another generation.

use nearside_core::Generation;
use nearside_core::generation::{CertificateSource, ListenerKind};
use nearside_core::home::HomeKey;
use std::path::{Path, PathBuf};

/// The files and folders that `generation` reads keys, certificates and authorities from: for a pattern the
/// folder in front of its first star.
#[must_use]
pub fn watched(generation: &Generation) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = generation.fleet.key_file.iter().cloned().collect();
    paths.extend(generation.observe.admin_token.clone());
    for source in &generation.tls.certificates {
        match source {
            CertificateSource::Pattern(pattern) => paths.push(fixed_part(pattern)),
            CertificateSource::Pair { cert, key, .. } => paths.extend([cert.clone(), key.clone()]),
        }
    }
    let homes = generation.routes.routes().iter().filter_map(|route| route.home.as_ref()?.verify.as_ref());
    paths.extend(homes.map(|(HomeKey::Hmac(path) | HomeKey::Public(path))| path.clone()));
    for listener in &generation.listeners {
        if let ListenerKind::Tls { client_ca: Some(path), .. } = &listener.kind {
            paths.push(path.clone());
        }
    }
    for pool in &generation.pools {
        paths.extend(pool.tls.ca.clone());
        paths.extend(pool.tls.client.iter().flat_map(|(cert, key)| [cert.clone(), key.clone()]));
    }
    paths.sort();
    paths.dedup();
    paths
}

fn fixed_part(pattern: &Path) -> PathBuf {
    let fixed = |part: &&Path| !part.to_string_lossy().contains(['*', '?', '[']);
    pattern.ancestors().find(fixed).map(Path::to_owned).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expected: &str) {
        assert_eq!(fixed_part(Path::new(pattern)), Path::new(expected));
    }

    #[test]
    fn a_pattern_is_watched_by_its_folder() {
        check("/etc/certs/*.pem", "/etc/certs");
        check("certs/*/tls.pem", "certs");
        check("*.pem", "");
        check("certs/www.pem", "certs/www.pem");
    }
}
