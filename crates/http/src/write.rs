//! Writing: the stretches of a head that are kept, and the lines around them.

use crate::bytes_of::{Span, decimal};
use crate::known::Set;
use crate::{Edits, Fields, fields::Line};
use bytes::BufMut;

/// Which fields of a head go on.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) edits: &'a Edits,
    pub(crate) left_out: Set,
}

impl<'a> Kept<'a> {
    /// The lines that go on.
    pub(crate) fn lines(self) -> impl Iterator<Item = &'a Line> {
        let left_out = self.left_out.with(self.edits.removed());
        self.fields.lines().iter().filter(move |line| {
            !line.hop && !left_out.has(line.known) && !self.edits.removes_name(self.fields, line)
        })
    }

    /// Copies `first` and the lines; neighbours in one piece.
    pub(crate) fn copy(self, first: Span, out: &mut impl BufMut) {
        let buffer = self.fields.buffer();
        let mut stretch = first;
        for line in self.lines() {
            if line.whole.start == stretch.end {
                stretch.end = line.whole.end;
            } else {
                out.put_slice(stretch.of(buffer));
                stretch = line.whole;
            }
        }
        out.put_slice(stretch.of(buffer));
    }
}

pub(crate) fn length(length: u64, out: &mut impl BufMut) {
    out.put_slice(b"content-length: ");
    out.put_slice(decimal(length, &mut [0; 20]));
    out.put_slice(b"\r\n");
}

pub(crate) fn chunked(out: &mut impl BufMut) {
    out.put_slice(b"transfer-encoding: chunked\r\n");
}
