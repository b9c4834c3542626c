//! The targets: for each kind of bytes from outside, the code that reads them and the rules that hold whatever they are.

mod blocks;
mod chunks;
mod frames;
mod head;
mod hello;
mod introduction;
mod path;
mod pin;
mod routes;

/// One kind of bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is its corpus's too.
    pub name: &'static str,
    /// Reads any bytes; panics when a rule is broken.
    pub attack: fn(&[u8]),
    /// What mutations put in: words of the language that is read.
    pub words: &'static [&'static [u8]],
    /// Inputs of a smoke that is bounded by count.
    pub count: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "head", attack: head::attack, words: head::WORDS, count: 20_000 },
    Target { name: "chunks", attack: chunks::attack, words: chunks::WORDS, count: 20_000 },
    Target { name: "blocks", attack: blocks::attack, words: blocks::WORDS, count: 20_000 },
    Target { name: "path", attack: path::attack, words: path::WORDS, count: 20_000 },
    Target { name: "routes", attack: routes::attack, words: routes::WORDS, count: 300 },
    Target { name: "introduction", attack: introduction::attack, words: introduction::WORDS, count: 300 },
    Target { name: "pin", attack: pin::attack, words: pin::WORDS, count: 300 },
    Target { name: "hello", attack: hello::attack, words: hello::WORDS, count: 300 },
    Target { name: "frames", attack: frames::attack, words: frames::WORDS, count: 300 },
];

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
