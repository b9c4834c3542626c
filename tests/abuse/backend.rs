//! What backends answer: each answer is judged at a client of HTTP/1 and at one of HTTP/2.

mod answer;
mod bodies;
mod frames;
mod h2;
mod heads;
mod reuse;
mod switched;
mod told;

pub(crate) use answer::Answer;
pub(crate) use reuse::CHECKS;

/// All tables of answers.
pub(crate) const TABLES: &[&[Answer]] = &[bodies::ANSWERS, heads::ANSWERS, switched::ANSWERS, told::ANSWERS];
