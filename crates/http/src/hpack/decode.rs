//! Reading a block of fields.

use super::memory::{Memory, OVERHEAD};
use super::{TABLE, huffman, integer, table};
use std::ops::Range;

/// What a block may unpack to, in bytes of names and values with 32 more for each field. A head that is taken is far smaller;
/// one that is refused is still read to its end, since the fields after it depend on it.
pub const MOST: usize = 256 * 1024;

/// Room for unpacked text that is kept for the next block.
const KEPT: usize = 1024;

/// Why a block cannot be read. The connection cannot go on after it, since nobody knows what the peer's table holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It breaks HPACK's rules.
    Unreadable,
    /// It unpacks to more than [`MOST`].
    TooLarge,
}

/// The reading side of a connection.
#[derive(Debug)]
pub struct Decoder {
    memory: Memory,
    /// Where text is unpacked to.
    scratch: Vec<u8>,
}

/// Where a text lies.
enum Text<'b> {
    Here(&'b [u8]),
    Scratch(Range<usize>),
}

impl<'b> Text<'b> {
    fn of(&self, scratch: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Here(text) => text,
            Self::Scratch(range) => scratch.get(range.clone()).unwrap_or_default(),
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { memory: Memory::new(TABLE), scratch: Vec::new() }
    }
}

impl Decoder {
    /// Reads a whole block, and shows each field's name and value in their order.
    ///
    /// # Errors
    /// The block cannot be read to its end.
    pub fn decode(&mut self, block: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Result<(), Fault> {
        let (mut rest, mut room, mut begun) = (block, MOST, false);
        while let Some(first) = rest.first() {
            if first & 0xe0 == 0x20 {
                let (most, behind) = integer::read(rest, 5).ok_or(Fault::Unreadable)?;
                if begun || most > TABLE {
                    return Err(Fault::Unreadable);
                }
                self.memory.resize(most);
                rest = behind;
                continue;
            }
            begun = true;
            let size;
            (size, rest) = if first & 0x80 != 0 {
                self.indexed(rest, &mut each)
            } else if first & 0x40 != 0 {
                self.literal(rest, 6, &mut each)
            } else {
                self.literal(rest, 4, &mut each)
            }
            .ok_or(Fault::Unreadable)?;
            room = room.checked_sub(size + OVERHEAD).ok_or(Fault::TooLarge)?;
        }
        if self.scratch.capacity() > KEPT {
            self.scratch = Vec::new();
        }
        Ok(())
    }

    /// A field that is named by its number.
    fn indexed<'b>(&self, rest: &'b [u8], each: &mut impl FnMut(&[u8], &[u8])) -> Option<(usize, &'b [u8])> {
        let (number, behind) = integer::read(rest, 7)?;
        let (name, value) = match number.checked_sub(table::COUNT + 1) {
            Some(before) => self.memory.field(before)?,
            None => table::field(number)?,
        };
        each(name, value);
        Some((name.len() + value.len(), behind))
    }

    /// A field whose value stands here, and perhaps its name; remembered where the number of its name has six bits.
    fn literal<'b>(
        &mut self,
        rest: &'b [u8],
        bits: u32,
        each: &mut impl FnMut(&[u8], &[u8]),
    ) -> Option<(usize, &'b [u8])> {
        self.scratch.clear();
        let (number, rest) = integer::read(rest, bits)?;
        let (name, rest) = match (number, number.checked_sub(table::COUNT + 1)) {
            (0, _) => self.text(rest)?,
            (_, None) => (Text::Here(table::field(number)?.0), rest),
            (_, Some(before)) => {
                // A copy, since what it is remembered by may be forgotten for the field that has it.
                self.scratch.extend_from_slice(self.memory.field(before)?.0);
                (Text::Scratch(0..self.scratch.len()), rest)
            }
        };
        let (value, rest) = self.text(rest)?;
        let Self { memory, scratch } = self;
        let (name, value) = (name.of(scratch), value.of(scratch));
        each(name, value);
        if bits == 6 {
            memory.remember(name, value);
        }
        Some((name.len() + value.len(), rest))
    }

    /// A text, as it lies here or unpacked.
    fn text<'b>(&mut self, rest: &'b [u8]) -> Option<(Text<'b>, &'b [u8])> {
        let packed = rest.first()? & 0x80 != 0;
        let (length, rest) = integer::read(rest, 7)?;
        let (text, rest) = rest.split_at_checked(length)?;
        if !packed {
            return Some((Text::Here(text), rest));
        }
        let start = self.scratch.len();
        huffman::decode(text, &mut self.scratch)?;
        Some((Text::Scratch(start..self.scratch.len()), rest))
    }
}
