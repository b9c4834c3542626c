//! Where a key of the file stands.

use crate::node::{Node, Position, Value};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};

/// The file's text and tree: what turns a key's path into a line and a column.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    digest: Arc<OnceLock<[u8; 32]>>,
    tree: Option<Arc<Node>>,
}

impl Source {
    pub(crate) fn new(text: &str, tree: Option<Node>) -> Self {
        Self {
            name: "routes.yaml".into(),
            text: text.into(),
            digest: Arc::default(),
            tree: tree.map(Arc::new),
        }
    }

    /// The same source under the name that reports give it; else it is `routes.yaml`.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the text, which is made out once.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        self.digest.get_or_init(|| Sha256::digest(self.text.as_bytes()).into())
    }

    /// Where the value at `path` (`pools.web.backends[0].url`) stands, or the nearest above it.
    #[must_use]
    pub fn position(&self, path: &str) -> Position {
        self.walk(path).1
    }

    /// Whether the file itself says something at `path`.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.walk(path).0.is_some()
    }

    pub(crate) fn tree(&self) -> Option<&Node> {
        self.tree.as_deref()
    }

    /// What stands there, if the whole path was found, and the position. A key may hold dots, so the longest that fits
    /// wins.
    fn walk(&self, path: &str) -> (Option<&Node>, Position) {
        let Some(mut node) = self.tree() else { return (None, Position::START) };
        let (mut rest, mut at) = (path, node.at);
        while !rest.is_empty() {
            let step = match &node.value {
                Value::Map(_) => into_map(node, rest),
                Value::List(items) => into_list(items, rest),
                Value::Scalar { .. } => None,
            };
            let Some((next, place, left)) = step else { return (None, at) };
            (node, at, rest) = (next, place, left);
        }
        (Some(node), at)
    }
}

fn into_map<'a, 'p>(node: &'a Node, path: &'p str) -> Option<(&'a Node, Position, &'p str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    let cuts = path.match_indices(['.', '[']).map(|(at, _)| at).chain([path.len()]);
    let mut fits = cuts.filter_map(|at| {
        let (key, rest) = path.split_at_checked(at)?;
        Some((node.entry(key)?, rest))
    });
    let (entry, rest) = fits.next_back()?;
    Some((&entry.value, entry.at, rest))
}

fn into_list<'a, 'p>(items: &'a [Node], path: &'p str) -> Option<(&'a Node, Position, &'p str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    let item = items.get(index.parse::<usize>().ok()?)?;
    Some((item, item.at, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, line: u32, column: u32, found: bool) {
        let text = "regions:\n  a: {}\n  a.b: { drain: x }\npools: { web: { backends: [{ url: u }, { url: v }] } }\n";
        let source = Source::new(text, crate::yaml::read(text).ok());
        assert_eq!((source.position(path), source.has(path)), (Position { line, column }, found), "{path}");
    }

    #[test]
    fn a_path_leads_to_its_key_or_the_nearest_above() {
        check("", 1, 1, true);
        check("regions.a", 2, 3, true);
        check("regions.a.b.drain", 3, 10, true);
        check("regions.a.drain", 2, 3, false);
        check("pools.web.backends[1].url", 4, 42, true);
        check("pools.web.backends[7].url", 4, 17, false);
        check("routes[0]", 1, 1, false);
    }
}
