//! Holds a tree to every rule: the shape of each value, then what values ask of each other.

mod law;
mod listeners;
mod names;
mod policy;
mod pools;
mod regions;
mod routes;
mod sessions;

use crate::document::Document;
use crate::load::Tree;
use crate::node::Position;
use crate::reader::Reader;
use crate::report::{Finding, MOST, Problem, Report};
use crate::shape::Shape;
use crate::source::Source;
use nearside_core::generation::Stamp;

/// A file that broke no rule. Only [`check`] makes one.
#[derive(Clone, Debug)]
pub struct Checked {
    pub(crate) document: Document,
    pub(crate) source: Source,
    warnings: Vec<Problem>,
}

impl Checked {
    /// What is doubtful about the file.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The way from a key's path to its line.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The content's hash. Who swaps generations counts them.
    pub(crate) fn stamp(&self) -> Stamp {
        let hash = self.source.digest().iter().take(4).fold(0, |hash, byte| (hash << 8) | u32::from(*byte));
        Stamp { number: 0, hash }
    }
}

/// Checks everything that the file alone can tell.
///
/// # Errors
/// Every problem at once, warnings included, when one of them is an error.
pub fn check(tree: Tree) -> Result<Checked, Report> {
    let source = tree.source;
    let mut reader = Reader::default();
    let document = source.tree().and_then(|root| Document::read(&mut reader, root, None));
    let mut unread: Vec<String> = reader.problems.iter().map(|problem| problem.path.clone()).collect();
    unread.sort_unstable();
    let refused = !reader.problems.is_empty();
    let mut found = Found { source: &source, unread, problems: reader.problems, refused };
    if let Some(document) = &document {
        names::check(document, &mut found);
        regions::check(document, &mut found);
        pools::check(document, &mut found);
        policy::check(document, &mut found);
        routes::check(document, &mut found);
        law::check(document, &mut found);
        sessions::check(document, &mut found);
        listeners::check(document, &mut found);
    }
    let Found { problems, refused, .. } = found;
    let report = Report::new(&source, problems);
    match document {
        Some(document) if !refused => {
            let warnings = report.problems().to_vec();
            Ok(Checked { document, source, warnings })
        }
        _ => Err(report),
    }
}

/// What is being found.
struct Found<'a> {
    source: &'a Source,
    /// Where something could not be read, sorted: what stands there now is a default, or nothing.
    unread: Vec<String>,
    problems: Vec<Problem>,
    /// Whether there is an error among them.
    refused: bool,
}

impl Found<'_> {
    /// Records a finding about the value at `path`.
    fn at(&mut self, path: String, finding: Finding) {
        // The first error has to be told, however many warnings stand before it.
        if self.problems.len() < MOST || (finding.is_error() && !self.refused) {
            self.refused |= finding.is_error();
            let position: Position = self.source.position(&path);
            self.problems.push(finding.at(position, path));
        }
    }

    /// Records a finding about the value at `path` that follows from all of `scope`, if all of it was read.
    fn given(&mut self, scope: &str, path: String, finding: Finding) {
        if self.read(scope) {
            self.at(path, finding);
        }
    }

    /// Whether the whole file was read.
    fn all_read(&self) -> bool {
        self.unread.is_empty()
    }

    /// Whether everything at and below `scope` was read.
    fn read(&self, scope: &str) -> bool {
        let from = self.unread.partition_point(|path| path.as_str() < scope);
        let mut within = self.unread.iter().skip(from).map_while(|path| path.strip_prefix(scope));
        !within.any(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}
