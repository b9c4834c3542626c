//! A report: all that is wrong with a file, for people and for programs.

use crate::node::Position;
use crate::rule::{Rule, Severity};
use crate::source::Source;
use std::fmt;

/// A report tells this many problems: a file of nothing but mistakes should not fill the memory.
pub(crate) const MOST: usize = 10_000;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// The key's path: `pools.web.backends[0].url`.
    pub path: String,
    /// The rule's stable name.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a rule has to say, before it is known where.
#[derive(Clone, Debug)]
pub struct Finding {
    rule: &'static Rule,
    severity: Severity,
    message: String,
    hint: Option<String>,
}

impl Finding {
    /// `message` is a lowercase phrase that names the culprit.
    #[must_use]
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self { rule, severity: rule.severity, message: message.into(), hint: None }
    }

    /// Message and hint, where no report stands around them.
    pub(crate) fn in_words(self) -> String {
        match self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces the rule's severity, where the file chooses it.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn at(self, at: Position, path: String) -> Problem {
        let Self { rule, severity, message, hint } = self;
        Problem { severity, line: at.line, column: at.column, path, rule: rule.id, message, hint }
    }
}

/// All that is wrong with a file, in the file's order.
///
/// Displayed, it is what a person reads: each problem with its line and a caret. [`Report::to_json`] is the
/// same for programs.
#[derive(Clone, Debug)]
pub struct Report {
    source: Source,
    problems: Vec<Problem>,
}

impl Report {
    /// A report on `source` that begins with `problems`.
    #[must_use]
    pub fn new(source: &Source, problems: Vec<Problem>) -> Self {
        let mut report = Self { source: source.clone(), problems };
        report.sort();
        report
    }

    /// The same report under the name that it gives the file; else it is `routes.yaml`.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.source = self.source.named(name);
        self
    }

    /// Adds a finding about the value at `path`, or about the nearest value above it that the file has.
    pub fn push(&mut self, path: &str, finding: Finding) {
        let at = self.source.position(path);
        self.problems.push(finding.at(at, path.to_owned()));
        self.sort();
    }

    /// The problems, in the file's order.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether the file is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many problems of this severity there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The report as JSON: `file`, `errors`, `warnings` and `problems` with their fields.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let problem = |problem: &Problem| {
            serde_json::json!({
                "severity": problem.severity.to_string(),
                "line": problem.line,
                "column": problem.column,
                "path": problem.path,
                "rule": problem.rule,
                "message": problem.message,
                "hint": problem.hint,
            })
        };
        serde_json::json!({
            "file": self.source.name(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    }

    fn sort(&mut self) {
        self.problems.sort_by_key(|problem| (problem.line, problem.column, problem.severity));
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut lines, mut line, mut number) = (self.source.text().lines(), None, 0);
        for problem in &self.problems {
            writeln!(f, "{}:{problem}", self.source.name())?;
            // Problems stand in the file's order, so one walk over the lines serves them all.
            while number < problem.line {
                line = lines.next();
                number += 1;
            }
            if let Some(line) = line {
                f.write_str(&excerpt(line, problem))?;
            }
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        write!(f, "{errors} error{}, {warnings} warning{}", plural(errors), plural(warnings))?;
        if errors + warnings >= MOST { f.write_str("; there may be more") } else { Ok(()) }
    }
}

/// `12:7: error: unknown key "wieght" (pools.web.backends[0]); did you mean "weight"?`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.severity, self.message)?;
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// The line with a caret under the culprit; of a long line, the part around it.
fn excerpt(line: &str, problem: &Problem) -> String {
    let column = usize::try_from(problem.column).unwrap_or(1).max(1) - 1;
    let skipped = column.saturating_sub(80);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let part: String = line.chars().skip(skipped).take(120).map(clean).collect();
    let (number, indent) = (problem.line, column - skipped);
    format!("{number:>5} | {}\n      | {:indent$}^\n", part.trim_end(), "")
}
