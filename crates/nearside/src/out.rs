//! What the commands print: tables for people on a terminal, JSON with `--json`, errors on the other stream.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use std::io::Write;

/// Prints a text. A reader that has gone (`| head`) is no error.
pub(crate) fn text(text: &str) {
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) {
    text(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a text where errors go.
pub(crate) fn error(text: &str) {
    drop(writeln!(std::io::stderr(), "{}", text.trim_end()));
}

/// An empty table with these titles. Rows stay lines, however wide: a cell that is broken up can neither be read nor
/// searched for.
pub(crate) fn table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles.iter().map(|title| title.to_uppercase()));
    table
}

/// The table as text, without a margin.
pub(crate) fn draw(table: &mut Table) -> String {
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
