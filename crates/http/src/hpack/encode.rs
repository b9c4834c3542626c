//! Writing a block of fields, towards few instructions: numbers where the static table has them, text as it is, and a small
//! table of the fields whose values return.

use super::memory::OVERHEAD;
use super::{TABLE, integer, table};
use crate::bytes_of::decimal;
use crate::known::{Known, Set};
use bytes::BufMut;
use std::collections::VecDeque;

/// What is remembered of what the peer remembers.
const MOST: usize = 1024;

/// The longest value that is remembered.
const LONGEST: usize = 128;

/// Fields that a site's answers have in common. None of them is a secret, nor could one be guessed by what it shrinks to.
const RETURN: Set = Set::of(&[
    Known::CacheControl,
    Known::ContentEncoding,
    Known::ContentType,
    Known::Date,
    Known::Server,
    Known::Vary,
    Known::XNearsideGen,
]);

/// Fields that no table on the way may remember (RFC 7541, 7.1.3).
const SECRET: Set =
    Set::of(&[Known::Authorization, Known::Cookie, Known::ProxyAuthorization, Known::SetCookie]);

/// The writing side of a connection.
///
/// The peer forgets the oldest field when its table is full; what is remembered here is less than that, so that it is always
/// there, too.
#[derive(Debug)]
pub struct Encoder {
    /// The latest fields that were put into the peer's table.
    kept: VecDeque<Kept>,
    size: usize,
    /// The size of the peer's table as it was told last.
    told: usize,
    /// What it has to be told: the least that it asked for since, and what it asked for last.
    least: usize,
    last: usize,
}

#[derive(Debug)]
struct Kept {
    known: Known,
    value: Box<[u8]>,
    size: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { kept: VecDeque::new(), size: 0, told: TABLE, least: TABLE, last: TABLE }
    }
}

impl Encoder {
    /// The peer's SETTINGS offer a table of this size. One above the usual is not used.
    pub fn offer(&mut self, most: u32) {
        self.last = usize::try_from(most).unwrap_or(usize::MAX).min(TABLE);
        self.least = self.least.min(self.last);
        self.forget(self.most());
    }

    /// Begins a block.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if self.least == self.told && self.last == self.told {
            return;
        }
        if self.least < self.told {
            integer::write(0x20, 5, self.least, out);
        }
        if self.last != self.least {
            integer::write(0x20, 5, self.last, out);
        }
        (self.told, self.least) = (self.last, self.last);
    }

    /// Writes `:status`.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        let number = match status {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => return literal(0, table::STATUS, decimal(status.into(), &mut [0; 20]), out),
        };
        out.put_u8(0x80 | number);
    }

    /// Writes `content-length`.
    pub fn length(&mut self, length: u64, out: &mut Vec<u8>) {
        literal(0, table::CONTENT_LENGTH, decimal(length, &mut [0; 20]), out);
    }

    /// Writes a field whose name is of this class.
    pub fn field(&mut self, known: Known, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        if RETURN.has(known) && value.len() <= LONGEST {
            return self.returning(known, name, value, out);
        }
        let first = if SECRET.has(known) { 0x10 } else { 0 };
        put(first, known, name, value, out);
    }

    fn returning(&mut self, known: Known, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let is_it = |kept: &Kept| kept.known == known && *kept.value == *value;
        if let Some(before) = self.kept.iter().rev().position(is_it) {
            return integer::write(0x80, 7, table::COUNT + 1 + before, out);
        }
        let size = name.len() + value.len() + OVERHEAD;
        let most = self.most();
        if size > most {
            return put(0, known, name, value, out);
        }
        self.forget(most - size);
        self.kept.push_back(Kept { known, value: value.into(), size });
        self.size += size;
        put(0x40, known, name, value, out);
    }

    fn most(&self) -> usize {
        self.least.min(MOST)
    }

    /// Forgets the oldest until no more than this is left.
    fn forget(&mut self, most: usize) {
        while self.size > most
            && let Some(oldest) = self.kept.pop_front()
        {
            self.size -= oldest.size;
        }
    }
}

/// Writes a field as text, its name by its number if it has one. `first` says who may remember it.
fn put(first: u8, known: Known, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    if let Some(number) = table::number(known, name) {
        return literal(first, number, value, out);
    }
    out.reserve(name.len() + value.len() + 16);
    out.put_u8(first);
    integer::write(0, 7, name.len(), out);
    let at = out.len();
    out.extend_from_slice(name);
    out.get_mut(at..).unwrap_or_default().make_ascii_lowercase();
    text(value, out);
}

fn literal(first: u8, number: u8, value: &[u8], out: &mut Vec<u8>) {
    let bits = if first == 0x40 { 6 } else { 4 };
    integer::write(first, bits, number.into(), out);
    text(value, out);
}

fn text(text: &[u8], out: &mut Vec<u8>) {
    integer::write(0, 7, text.len(), out);
    out.extend_from_slice(text);
}
