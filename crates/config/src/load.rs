//! From text to a tree, and all the way to a generation.

use crate::check::check;
use crate::compile::{compile, rebase};
use crate::report::{Finding, Problem, Report};
use crate::rule;
use crate::source::Source;
use crate::yaml::{self, MAX_BYTES};
use nearside_core::Generation;
use std::path::Path;

/// A file that is YAML: a tree of values with their places. Nothing else is known of it yet.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) source: Source,
}

/// Reads a file's bytes as text.
///
/// # Errors
/// Bytes that are no UTF-8, or too many of them.
pub fn decode(bytes: &[u8]) -> Result<&str, Report> {
    let refuse = |finding: Finding, valid: &str| {
        let at = yaml::position_of(valid, valid.len());
        Err(Report::new(&Source::new(valid, None), vec![finding.at(at, String::new())]))
    };
    if bytes.len() > MAX_BYTES {
        return refuse(yaml::too_long(bytes.len()), "");
    }
    std::str::from_utf8(bytes).or_else(|error| {
        let valid = bytes.get(..error.valid_up_to()).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let finding = Finding::new(rule::ENCODING, "bytes that are no UTF-8");
        refuse(finding.hint("save the file as UTF-8"), valid.unwrap_or(""))
    })
}

/// Reads YAML.
///
/// # Errors
/// What keeps the text from being one tree with text keys.
pub fn parse(text: &str) -> Result<Tree, Report> {
    match yaml::read(text) {
        Ok(tree) => Ok(Tree { source: Source::new(text, Some(tree)) }),
        Err(problems) => {
            let shown = if text.len() > MAX_BYTES { "" } else { text };
            Err(Report::new(&Source::new(shown, None), problems))
        }
    }
}

/// Turns the text of `routes.yaml` into a generation, the way back to its lines, and the warnings.
///
/// Paths of files stay as the file writes them; [`load_at`] makes them absolute.
///
/// # Errors
/// Everything that is wrong with it, warnings included.
pub fn load(text: &str) -> Result<(Generation, Source, Vec<Problem>), Report> {
    let checked = check(parse(text)?)?;
    let warnings = checked.warnings().to_vec();
    let (generation, source) = compile(checked);
    Ok((generation, source, warnings))
}

/// [`load`] for a file in the folder `base`: what its paths of files are relative to.
///
/// # Errors
/// As [`load`].
pub fn load_at(text: &str, base: &Path) -> Result<(Generation, Source, Vec<Problem>), Report> {
    let (mut generation, source, warnings) = load(text)?;
    rebase(&mut generation, base);
    Ok((generation, source, warnings))
}
