//! Marks: where the lines of a head end and their names do, sixteen bytes at a step.

use wide::i8x16;

/// How many bytes are looked at in one go: one for each bit of a word.
const BLOCK: u32 = 64;

/// A reader of lines. A line ends at the first byte that is neither visible ASCII nor a space; a byte like that directly behind
/// is taken to belong to the same end.
pub(crate) struct Marks<'h> {
    /// What was not looked at yet.
    rest: &'h [u8],
    /// Where the block begins that was looked at last, and where the next one does.
    block: u32,
    next: u32,
    /// The ends of lines in the block that were not told yet.
    ends: u64,
    /// The colons behind the end that was told last.
    colons: u64,
    /// Whether the last byte of the block could end a line.
    carry: u64,
}

/// A line of a head.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Marked {
    /// Where its first colon stands.
    pub(crate) colon: Option<u32>,
    /// Where it ends.
    pub(crate) end: u32,
}

impl<'h> Marks<'h> {
    /// At the start of a head of less than 4 GiB.
    pub(crate) fn new(head: &'h [u8]) -> Self {
        Self { rest: head, block: 0, next: 0, ends: 0, colons: 0, carry: 0 }
    }

    /// The next line; none where nothing ends it.
    #[inline]
    pub(crate) fn line(&mut self) -> Option<Marked> {
        let mut colon = None;
        loop {
            // All up to the first end, or all where there is none.
            let line = self.ends ^ self.ends.wrapping_sub(1);
            let colons = self.colons & line;
            if colon.is_none() && colons != 0 {
                colon = Some(self.block + colons.trailing_zeros());
            }
            if self.ends != 0 {
                let end = self.block + self.ends.trailing_zeros();
                self.ends &= !line;
                self.colons &= !line;
                return Some(Marked { colon, end });
            }
            self.look()?;
        }
    }

    /// Looks at the next block.
    fn look(&mut self) -> Option<()> {
        let (ends, colons) = if let Some((block, rest)) = self.rest.split_first_chunk() {
            self.rest = rest;
            marks(block)
        } else if self.rest.is_empty() {
            return None;
        } else {
            let mut block = [b' '; BLOCK as usize];
            block.get_mut(..self.rest.len())?.copy_from_slice(self.rest);
            self.rest = &[];
            marks(&block)
        };
        self.block = self.next;
        self.next += BLOCK;
        self.ends = ends & !(ends << 1 | self.carry);
        self.carry = ends >> 63;
        self.colons = colons;
        Some(())
    }
}

/// Which bytes are neither visible ASCII nor a space, and which are colons.
#[inline]
fn marks(block: &[u8; BLOCK as usize]) -> (u64, u64) {
    let (mut ends, mut colons) = (0, 0);
    for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let bytes = i8x16::new(bytes.map(u8::cast_signed));
        // One more makes a negative number of DEL, as all above ASCII are but the last, which becomes zero.
        let more = bytes + i8x16::splat(1);
        let bit = index * 16;
        ends |= u64::from(more.simd_lt(i8x16::splat(0x21)).to_bitmask()) << bit;
        colons |= u64::from(bytes.simd_eq(i8x16::splat(b':'.cast_signed())).to_bitmask()) << bit;
    }
    (ends, colons)
}

#[cfg(test)]
mod tests {
    use super::{Marked, Marks};

    #[test]
    fn a_byte_that_is_not_usual_ends_a_line_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let ends = !matches!(byte, b' '..=b'~');
            for at in 0..200_u32 {
                let mut head = [b'a'; 200];
                head[at as usize] = byte;
                let expected = ends.then_some(Marked { colon: None, end: at });
                assert_eq!(Marks::new(&head).line(), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn lines_and_their_first_colons_are_found_across_blocks() {
        for first in 0..140 {
            for second in 0..70 {
                let (first, second) = ("a".repeat(first), "b".repeat(second));
                let head = format!("{first}:{second}:\r\n{second}c\r\n{first}{second}:\r\n");
                let (mut at, mut marks) = (0, Marks::new(head.as_bytes()));
                for line in head.lines() {
                    let position = |offset: usize| u32::try_from(at + offset).unwrap();
                    let (colon, end) = (line.find(':').map(position), position(line.len()));
                    assert_eq!(marks.line(), Some(Marked { colon, end }), "{head:?}");
                    at += line.len() + 2;
                }
                assert_eq!(marks.line(), None, "{head:?}");
            }
        }
        assert_eq!(Marks::new(b"").line(), None);
        assert_eq!(Marks::new(b"a: b").line(), None);
    }
}
