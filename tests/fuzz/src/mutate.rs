//! Mutations: an input of the corpus, changed a little in ways that parsers dislike.

use nearside_core::random::Random;

/// The longest input.
const LONGEST: usize = 16 * 1024;
/// Bytes that mean something to most languages.
const TELLING: &[u8] = b"\r\n\0 \t:;,=/\\%.\"'-+#?&[]{}()<>@0129aAfFzZ\x7f\x80\xff";

/// One of `corpus`, changed one to eight times, now and then crossed with another.
pub(crate) fn draw(corpus: &[Vec<u8>], words: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = pick(corpus, random).map_or_else(Vec::new, Clone::clone);
    if random.below(8) == 0 {
        let other = pick(corpus, random).map_or_else(Vec::new, Clone::clone);
        let (keep, from) = (place(bytes.len(), random), place(other.len(), random));
        bytes.truncate(keep);
        bytes.extend_from_slice(&other[from..]);
    }
    for _ in 0..=random.below(8) {
        change(&mut bytes, words, random);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, words: &[&[u8]], random: &mut Random) {
    let (at, end) = (place(bytes.len(), random), place(bytes.len(), random));
    let (from, to) = (at.min(end), at.max(end));
    match random.below(9) {
        0 => insert(bytes, at, &[TELLING[place(TELLING.len() - 1, random)]]),
        1 => insert(bytes, at, &[byte(random)]),
        2 => drop(bytes.drain(from..to.min(from + 8))),
        3 => drop(bytes.drain(from..to)),
        4 => {
            let piece = bytes[from..to.min(from + 64)].to_vec();
            insert(bytes, at, &piece);
        }
        5 | 6 => {
            let word = pick(words, random).copied().unwrap_or(b"\r\n");
            insert(bytes, at, word);
        }
        7 => {
            if let Some(one) = bytes.get_mut(at) {
                *one ^= 1 << random.below(8);
            }
        }
        _ => {
            let other =
                if random.below(2) == 0 { byte(random) } else { TELLING[place(TELLING.len() - 1, random)] };
            if let Some(one) = bytes.get_mut(at) {
                *one = other;
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(bytes.splice(at..at, piece.iter().copied()));
}

fn pick<'a, T>(list: &'a [T], random: &mut Random) -> Option<&'a T> {
    list.get(usize::try_from(random.below(list.len() as u64)).expect("an index"))
}

/// A place from 0 to `length`, both included.
fn place(length: usize, random: &mut Random) -> usize {
    usize::try_from(random.below(length as u64 + 1)).expect("an index")
}

fn byte(random: &mut Random) -> u8 {
    u8::try_from(random.below(256)).expect("a byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_draws_the_same_and_all_of_it_moves() {
        let corpus = vec![b"GET / HTTP/1.1\r\n\r\n".to_vec(), Vec::new()];
        let draws = |seed| {
            let mut random = Random::new(seed);
            (0..200).map(|_| draw(&corpus, &[b"host: a"], &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        let fresh = draws(1).into_iter().filter(|bytes| !corpus.contains(bytes)).count();
        assert!(fresh > 150, "{fresh}");
    }
}
