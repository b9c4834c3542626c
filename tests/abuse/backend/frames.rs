//! Frames of a backend on its first stream.

use nearside_tests::frames::{PREFACE, block, flag, frame, kind, settings};
use nearside_tests::raw::Talk;

/// A head, in as many frames as it needs.
pub(super) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let block = block(fields);
    let pieces: Vec<&[u8]> = block.chunks(16 * 1024).collect();
    let frames = pieces.iter().enumerate().map(|(at, piece)| {
        let kind = if at == 0 { kind::HEADERS } else { kind::CONTINUATION };
        let flags = if at + 1 == pieces.len() { flag::END_HEADERS } else { 0 };
        frame(kind, flags, 1, piece)
    });
    frames.collect::<Vec<_>>().concat()
}

/// Waits for a request on the first stream and says this.
pub(super) fn say(talk: &mut Talk, says: &[u8]) {
    if talk.until(has_request) {
        talk.send(&settings(&[]));
        talk.send(&frame(kind::SETTINGS, flag::ACK, 0, &[]));
        talk.send(says);
    }
}

fn has_request(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(PREFACE.len()..).unwrap_or_default();
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
        if *kind == kind::HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        rest = after.get(usize::try_from(length).unwrap()..).unwrap_or_default();
    }
    false
}
