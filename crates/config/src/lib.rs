//! Turns the text of `routes.yaml` into a [`Generation`](nearside_core::Generation), or into a [`Report`] of
//! all that is wrong with it.
//!
//! Each step has its own type, so that no step can be skipped: [`parse`] makes a [`Tree`], only [`check`] makes a
//! [`Checked`], and [`compile`] of that cannot fail. [`load`] is all three. A [`Source`] leads from a key's path
//! back to its line, so that what is found out later is reported in the same way.

mod check;
mod compile;
mod document;
pub mod edit;
mod effective;
mod load;
mod node;
mod page;
mod reader;
mod report;
mod rule;
mod scalar;
mod schema;
mod shape;
mod source;
mod yaml;

pub use check::{Checked, check};
pub use compile::{compile, rebase};
pub use effective::effective;
pub use load::{Tree, decode, load, load_at, parse};
pub use node::Position;
pub use page::page;
pub use report::{Finding, Problem, Report};
pub use rule::{RULES, Rule, Severity};
pub use scalar::quantity::{read_date, read_duration};
pub use schema::schema;
pub use source::Source;
pub use yaml::MAX_BYTES;
