//! The smoke: the whole corpus, and then mutations of it, bounded by count or by time.

use crate::mutate;
use crate::targets::Target;
use nearside_core::random::Random;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// What panicked since it was looked at: a panic of a task of the edge under attack is nobody's else to notice.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether this thread is the one that attacks: it is told by itself when it panics.
    static ATTACKS: Cell<bool> = const { Cell::new(false) };
}

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// So many mutations, always the same.
    Count(usize),
    /// As many as go into this time, from this seed on.
    Time(Duration, u64),
}

/// Attacks with every input of the corpus, and with mutations of them; how many inputs that were.
///
/// # Panics
/// With the first input that breaks a rule, which is kept in the folder of temporary files.
pub fn run(target: &Target, bound: Bound) -> usize {
    notice();
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    for bytes in &corpus {
        one(target, bytes);
    }
    let (began, mut tried) = (Instant::now(), 0);
    let mut random = Random::new(match bound {
        Bound::Count(_) => 1,
        Bound::Time(_, seed) => seed,
    });
    let is_over = |tried: usize| match bound {
        Bound::Count(count) => tried >= count,
        Bound::Time(time, _) => began.elapsed() >= time,
    };
    while !is_over(tried) {
        one(target, &mutate::draw(&corpus, target.words, &mut random));
        tried += 1;
    }
    corpus.len() + tried
}

/// Where the corpus of a target stands.
#[must_use]
pub fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// Fails when anything has panicked, in whatever thread.
///
/// # Panics
/// See above.
pub fn check() {
    let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(panics.is_empty(), "{}", panics.join("\n"));
}

/// From now on panics are noted, and told as before.
pub fn notice() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !ATTACKS.get() {
                PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
            }
            told(info);
        }));
    });
}

fn one(target: &Target, bytes: &[u8]) {
    ATTACKS.set(true);
    let attack = AssertUnwindSafe(|| {
        (target.attack)(bytes);
        check();
    });
    if catch_unwind(attack).is_err() {
        let number =
            Sha256::digest(bytes).iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let file = std::env::temp_dir().join(format!("nearside-fuzz-{}-{number:08x}", target.name));
        fs::write(&file, bytes).expect("a folder of temporary files");
        panic!("{}: {} breaks a rule; kept as {}", target.name, bytes.escape_ascii(), file.display());
    }
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder(target)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file of the corpus")).collect()
}
