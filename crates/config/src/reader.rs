//! Reads values out of the tree, keeps the path to where it is, and collects every problem on the way.

use crate::node::{Entry, Kind, Node, Position, quoted};
use crate::report::{Finding, MOST, Problem};
use crate::rule;
use crate::shape::Shape;
use std::fmt::Write;

/// What reading found, and where it is now.
#[derive(Default)]
pub(crate) struct Reader<'a> {
    path: Vec<Step<'a>>,
    pub(crate) problems: Vec<Problem>,
    /// What pools inherit, once it is read.
    pub(crate) defaults: crate::document::Defaults,
}

enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Reader<'a> {
    /// Records a finding about the value that is being read.
    pub(crate) fn problem(&mut self, at: Position, finding: Finding) {
        if self.problems.len() < MOST {
            let path = self.path();
            self.problems.push(finding.at(at, path));
        }
    }

    /// Records that `node` is not what was expected.
    pub(crate) fn wrong_type(&mut self, node: &Node, expected: &str, hint: Option<String>) {
        let mut finding = Finding::new(rule::TYPE, format!("found {node}, expected {expected}"));
        if let Some(hint) = hint {
            finding = finding.hint(hint);
        }
        self.problem(node.at, finding);
    }

    /// Reads the value of `entry`.
    pub(crate) fn entry<T: Shape>(&mut self, entry: &'a Entry, base: Option<&T>) -> Option<T> {
        self.step(Step::Key(&entry.key), |reader| T::read(reader, &entry.value, base))
    }

    /// Reads `node`, the item at `index` of a list.
    pub(crate) fn item<T: Shape>(&mut self, index: usize, node: &'a Node) -> Option<T> {
        self.step(Step::Item(index), |reader| T::read(reader, node, None))
    }

    /// The entries of a mapping with these keys; an unknown key is a problem with a suggestion.
    pub(crate) fn fields(&mut self, node: &'a Node, known: &[&str]) -> Option<&'a [Entry]> {
        if !matches!(node.kind(), Kind::Map | Kind::Null) {
            self.wrong_type(node, "a mapping", None);
            return None;
        }
        for entry in node.entries() {
            if !known.contains(&&*entry.key) {
                let finding = Finding::new(rule::UNKNOWN_KEY, format!("unknown key {}", quoted(&entry.key)));
                self.problem(entry.at, suggest(finding, &entry.key, known.iter().copied()));
            }
        }
        Some(node.entries())
    }

    /// Reads one field of a mapping: its value, else what it inherits, else its default.
    pub(crate) fn field<T: Shape + Clone>(
        &mut self,
        map: &'a Node,
        key: &str,
        base: Option<&T>,
        default: Option<fn() -> T>,
    ) -> Option<T> {
        let inherited = || base.cloned().filter(|_| default.is_some()).or_else(|| default.map(|make| make()));
        match map.entry(key) {
            Some(entry) => {
                // What is wrong is told; with a value in its place the rest can be checked all the same.
                self.entry(entry, base).or_else(inherited).or_else(T::stand_in)
            }
            None => inherited().or_else(|| {
                self.problem(map.at, Finding::new(rule::MISSING, format!("{} is missing", quoted(key))));
                T::stand_in()
            }),
        }
    }

    fn step<T>(&mut self, step: Step<'a>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let value = read(self);
        self.path.pop();
        value
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            let dot = if path.is_empty() { "" } else { "." };
            match step {
                Step::Key(key) => write!(path, "{dot}{key}").unwrap_or_default(),
                Step::Item(index) => write!(path, "[{index}]").unwrap_or_default(),
            }
        }
        path
    }
}

/// Adds the known word that is most like `found`, if one is like it.
pub(crate) fn suggest<'w>(finding: Finding, found: &str, known: impl Iterator<Item = &'w str>) -> Finding {
    match alike(found, known) {
        Some(word) => finding.hint(format!("did you mean {}?", quoted(word))),
        None => finding,
    }
}

fn alike<'w>(found: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // Longer words are cut first: the distance takes time in the product of both lengths.
    let short: String = found.chars().take(64).collect();
    let scored = known.map(|word| {
        let same = word.eq_ignore_ascii_case(&short) || word.replace('_', "-") == short.replace('_', "-");
        (if same { 0 } else { strsim::damerau_levenshtein(&short, word) }, word)
    });
    let (distance, word) = scored.min_by_key(|(distance, _)| *distance)?;
    let length = word.chars().count();
    (distance <= 1 + length / 4 && distance < length).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &str, expected: Option<&str>) {
        assert_eq!(alike(found, ["weight", "priority", "url", "max_in_flight"].into_iter()), expected);
    }

    #[test]
    fn a_word_that_is_near_is_suggested() {
        check("wieght", Some("weight"));
        check("max-in-flight", Some("max_in_flight"));
        check("URL", Some("url"));
        check("colour", None);
        assert_eq!(alike("c", ["a", "b"].into_iter()), None);
    }
}
